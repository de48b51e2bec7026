// Copies a key that is shown once, and lets no form be sent twice by a second click.
"use strict";

function copied(button) {
  const before = button.textContent;
  button.textContent = button.dataset.done;
  setTimeout(() => { button.textContent = before; }, 2000);
}

function copySelected(source) {
  const range = document.createRange();
  range.selectNodeContents(source);
  const selection = window.getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
  return document.execCommand("copy");
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  // The clipboard needs https or localhost; elsewhere the old way still works.
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(source.textContent);
  } else if (!copySelected(source)) {
    return;
  }
  copied(button);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-copy]");
  if (button) {
    copy(button);
  }
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) {
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
