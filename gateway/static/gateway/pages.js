// What every page does: the menu on phones, the theme's switch, copying, no form sent twice, the browser's time zone.
// Texts come from `data-` attributes of the page and of this script's element, where they are translated.
"use strict";

const WORDS = document.currentScript.dataset;
const TOLD_MS = 8000;

// What has no place of its own on the page: for screen readers alone, or for everybody.
const told = document.createElement("p");
told.setAttribute("role", "status");
let toldTimer = 0;

function tell(text, everybody = false) {
  told.className = everybody ? "told" : "visually-hidden";
  told.textContent = text;
  clearTimeout(toldTimer);
  toldTimer = text ? setTimeout(tell, TOLD_MS, "") : 0;
}

tell("");
document.body.append(told);

function showTheme(button) {
  button.querySelector("[data-theme-name]").textContent = button.dataset[THEME.choice];
}

function nextTheme(button) {
  const at = THEME.choices.indexOf(THEME.choice);
  THEME.choice = THEME.choices[(at + 1) % THEME.choices.length];
  showTheme(button);
  tell(button.dataset[THEME.choice]);
}

function toggleMenu(button, open) {
  const show = open ?? button.getAttribute("aria-expanded") !== "true";
  button.setAttribute("aria-expanded", String(show));
  menuOf(button).classList.toggle("open", show);
}

function menuOf(button) {
  return document.getElementById(button.getAttribute("aria-controls"));
}

function openMenu() {
  return document.querySelector("[data-menu][aria-expanded='true']");
}

// A tap beside the open menu closes it, and so does the focus that leaves it.
function closeMenuBeside(event) {
  const button = openMenu();
  if (button && !button.contains(event.target) && !menuOf(button).contains(event.target)) {
    toggleMenu(button, false);
  }
}

async function copyText(text) {
  // The clipboard needs https or localhost, and the browser's leave; elsewhere the old way may still work.
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    if (!copySelected(text)) {
      tell(WORDS.notCopied, true);
      return false;
    }
  }
  tell(WORDS.copied);
  return true;
}

function copySelected(text) {
  const before = document.activeElement;
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  before.focus({ preventScroll: true });
  return done;
}

// `data-copy` names the element whose text is copied, `data-copy-text` is the text itself; `data-done` is said after.
async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  const text = button.dataset.copyText ?? source.value ?? source.textContent;
  if (!(await copyText(text))) {
    return;
  }
  const label = button.querySelector("[data-label]") ?? button;
  const before = label.textContent;
  label.textContent = button.dataset.done;
  setTimeout(() => { label.textContent = before; }, 2000);
}

// `data-download` names the element whose text is saved, `data-file` the file; nothing is asked of the gateway for it.
function download(button) {
  const link = document.createElement("a");
  // The mark tells spreadsheets that it is UTF-8.
  link.href = URL.createObjectURL(new Blob(["\ufeff", document.getElementById(button.dataset.download).textContent]));
  link.download = button.dataset.file;
  link.click();
  URL.revokeObjectURL(link.href);
}

document.addEventListener("click", (event) => {
  const acts = "[data-copy], [data-copy-text], [data-download], [data-menu], [data-theme-switch]";
  const button = event.target.closest(acts);
  if (!button) {
    return;
  }
  if (button.matches("[data-menu]")) {
    toggleMenu(button);
  } else if (button.matches("[data-theme-switch]")) {
    nextTheme(button);
  } else if (button.matches("[data-download]")) {
    download(button);
  } else {
    copy(button);
  }
});

document.addEventListener("click", closeMenuBeside);
document.addEventListener("focusin", closeMenuBeside);
document.addEventListener("keydown", (event) => {
  const menu = openMenu();
  if (event.key === "Escape" && menu) {
    toggleMenu(menu, false);
    menu.focus();
  }
});

// Another language is that of the page as it is now, with its filters and its place.
document.addEventListener("submit", ({ target: form }) => {
  if (form.matches("[data-language]")) {
    form.elements.next.value = location.pathname + location.search + location.hash;
  }
});

// A form with `data-confirm` asks first; none is sent twice by a second click.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.confirm && !window.confirm(form.dataset.confirm)) {
    event.preventDefault();
    return;
  }
  if (form.method !== "post" || form.target || event.defaultPrevented) {
    return;
  }
  if (form.dataset.sent) {
    event.preventDefault();
  }
  form.dataset.sent = "yes";
});

// A page that the browser keeps for "back" must hold no key, and may send its forms again.
window.addEventListener("pagehide", () => {
  document.querySelectorAll("[data-secret]").forEach((each) => each.remove());
  document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent);
});

// A part of the page that was asked for anew sums itself up in `data-sum`: it gets the focus that went with what stood
// there, or is told.
document.addEventListener("htmx:afterSettle", (event) => {
  const sum = event.target.querySelector("[data-sum]");
  if (sum && document.activeElement === document.body) {
    sum.focus({ preventScroll: true });
  } else if (sum) {
    tell(sum.textContent.trim());
  }
});

document.querySelectorAll("[data-theme-switch]").forEach(showTheme);
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.includes(`time_zone=${zone}`)) {
  document.cookie = `time_zone=${zone}; path=/; max-age=31536000; samesite=lax`;
}
