// What every page does: the menu on phones, the theme's switch, copying, no form sent twice, the browser's time zone.
// Texts come from the page's `data-` attributes, where they are translated.
"use strict";

function showTheme(button) {
  button.querySelector("[data-theme-name]").textContent = button.dataset[THEME.choice];
}

function nextTheme(button) {
  const at = THEME.choices.indexOf(THEME.choice);
  THEME.choice = THEME.choices[(at + 1) % THEME.choices.length];
  showTheme(button);
}

function toggleMenu(button, open) {
  const show = open ?? button.getAttribute("aria-expanded") !== "true";
  button.setAttribute("aria-expanded", String(show));
  document.getElementById(button.getAttribute("aria-controls")).classList.toggle("open", show);
}

async function copyText(text) {
  // The clipboard needs https or localhost; elsewhere the old way still works.
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return true;
  }
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
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

document.addEventListener("keydown", (event) => {
  const menu = document.querySelector("[data-menu][aria-expanded='true']");
  if (event.key === "Escape" && menu) {
    toggleMenu(menu, false);
    menu.focus();
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

// A select or checkbox with `data-auto-submit` sends its form when it changes.
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-auto-submit]")) {
    event.target.form.requestSubmit();
  }
});

document.querySelectorAll("[data-theme-switch]").forEach(showTheme);
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.includes(`time_zone=${zone}`)) {
  document.cookie = `time_zone=${zone}; path=/; max-age=31536000; samesite=lax`;
}
