// Light or dark, before anything is drawn. The choice is shared with the admin's theme, under the same name.
"use strict";

const THEME = {
  choices: ["auto", "light", "dark"],
  get choice() {
    try {
      const value = JSON.parse(localStorage.getItem("adminTheme"));
      return this.choices.includes(value) ? value : "auto";
    } catch {
      return "auto";
    }
  },
  set choice(value) {
    localStorage.setItem("adminTheme", JSON.stringify(value));
    this.apply();
  },
  get isDark() {
    const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
    return this.choice === "dark" || (this.choice === "auto" && dark);
  },
  apply() {
    document.documentElement.classList.toggle("dark", this.isDark);
    document.documentElement.style.colorScheme = this.isDark ? "dark" : "light";
    document.dispatchEvent(new CustomEvent("theme"));
  },
};
THEME.apply();
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => THEME.apply());
