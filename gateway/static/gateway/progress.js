// An account's logins, live: state, outcome and steps as the WebSocket tells them. Works on every page of ours, the
// admin's too. All words come from the server or from the element's `data-` attributes.
"use strict";

(() => {
  if (window.loginProgress) {
    return;
  }
  window.loginProgress = true;

  const FIRST_WAIT = 500;
  const LONGEST_WAIT = 15000;
  const MARKS = { now: "pending", done: "check_circle", stopped: "front_hand", failed: "error" };

  function badge(shown) {
    const made = document.createElement("span");
    made.className = `badge badge-${shown.tone}`;
    made.textContent = shown.label;
    return made;
  }

  function text(className, content) {
    const made = document.createElement("span");
    made.className = className;
    made.textContent = content;
    return made;
  }

  class Progress {
    constructor(box) {
      this.box = box;
      this.wait = FIRST_WAIT;
      this.said = null;
      this.before = null;
      this.open();
    }

    part(name) {
      return this.box.querySelector(`[data-progress-${name}]`);
    }

    open() {
      const scheme = location.protocol === "https:" ? "wss:" : "ws:";
      this.socket = new WebSocket(`${scheme}//${location.host}${this.box.dataset.url}`);
      this.socket.addEventListener("message", (event) => this.show(JSON.parse(event.data)));
      this.socket.addEventListener("close", (event) => this.closed(event));
    }

    // A server that restarts is back in seconds; one that refuses (signed out) is asked less and less often.
    closed(event) {
      if (!this.box.isConnected || event.code === 1000) {
        return;
      }
      this.part("lost").hidden = false;
      setTimeout(() => this.box.isConnected && this.open(), this.wait * (0.75 + Math.random() / 2));
      this.wait = Math.min(LONGEST_WAIT, this.wait * 2);
    }

    show(progress) {
      this.wait = FIRST_WAIT;
      this.part("lost").hidden = true;
      this.part("state").replaceChildren(badge(progress.state));
      const login = progress.login;
      this.box.classList.toggle("running", progress.running);
      this.part("none").hidden = Boolean(login);
      this.part("login").hidden = !login;
      if (login) {
        this.showLogin(login, progress.running);
        // The same word twice tells nothing.
        this.part("outcome").hidden = login.outcome?.label === progress.state.label;
      }
      this.tell(progress);
    }

    showLogin(login, running) {
      const waits = running && login.waiting;
      this.part("waiting").hidden = !waits;
      this.part("running").hidden = !running || waits;
      this.part("outcome").replaceChildren(...(login.outcome ? [badge(login.outcome)] : []));
      this.part("message").textContent = login.message;
      this.part("message").hidden = !login.message;
      this.part("asked").textContent = login.asked;
      this.part("asked").hidden = !login.asked;
      const last = login.steps.length - 1;
      const end = running ? "now" : login.outcome?.tone === "good" ? "done" : login.outcome?.tone === "warn" ? "stopped" : "failed";
      this.part("steps").replaceChildren(...login.steps.map((step, at) => this.step(step, at === last ? end : "done")));
      this.say(login, running);
    }

    step(step, state) {
      const item = document.createElement("li");
      item.className = state;
      const mark = text("step-mark material-symbols-outlined", MARKS[state]);
      mark.setAttribute("aria-hidden", "true");
      const words = text("step-words", step.step);
      if (step.detail) {
        words.append(" ", text("step-detail", step.detail));
      }
      item.append(mark, text("step-at", step.at), words);
      return item;
    }

    // Screen readers hear what is new, not the whole list again.
    say(login, running) {
      const last = login.steps.at(-1);
      const now = running ? login.asked || last?.step || "" : [login.outcome?.label, login.message].filter(Boolean).join(": ");
      if (this.said !== null && now !== this.said) {
        this.part("said").textContent = now;
      }
      this.said = now;
    }

    // Other scripts of the page listen on the element: `login-progress` at each change, `login-ended` once at the end.
    tell(progress) {
      const detail = { bubbles: true, detail: progress };
      this.box.dispatchEvent(new CustomEvent("login-progress", detail));
      if (this.before?.running && (!progress.running || progress.login?.id !== this.before.login?.id)) {
        this.box.dispatchEvent(new CustomEvent("login-ended", detail));
      }
      this.before = progress;
    }
  }

  const begin = (root) => root.querySelectorAll("[data-login-progress]:not([data-begun])").forEach((box) => {
    box.dataset.begun = "yes";
    new Progress(box);
  });
  const start = () => {
    begin(document);
    document.body.addEventListener("htmx:load", (event) => begin(event.target));
  };
  if (document.readyState === "loading") {
    document.addEventListener("DOMContentLoaded", start);
  } else {
    start();
  }
})();
