// An account's logins, live: what the server has rendered is put in place of what stood there whenever it changes. Works
// on every page of ours, the admin's too.
"use strict";

(() => {
  if (window.loginProgress) {
    return;
  }
  window.loginProgress = true;

  const FIRST_WAIT = 500;
  const LONGEST_WAIT = 15000;
  const SIGNED_OUT = 4401;

  class Progress {
    constructor(box) {
      this.box = box;
      this.wait = FIRST_WAIT;
      this.said = null;
      this.signedOut = false;
      this.running = box.dataset.running;
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
      const lost = this.part("lost");
      lost.hidden = false;
      if (event.code === SIGNED_OUT && !this.signedOut) {
        // Another page may have renewed the session: this one's cookie is asked about once more.
        this.signedOut = true;
        this.open();
        return;
      }
      if (this.signedOut) {
        lost.textContent = lost.dataset.signedOut;
        return;
      }
      setTimeout(() => this.box.isConnected && this.open(), this.wait * (0.75 + Math.random() / 2));
      this.wait = Math.min(LONGEST_WAIT, this.wait * 2);
    }

    show(progress) {
      this.wait = FIRST_WAIT;
      this.signedOut = false;
      this.box.dataset.begun = "told";
      this.part("lost").hidden = true;
      this.part("now").innerHTML = progress.html;
      this.say(progress);
      this.tell(progress);
    }

    // Screen readers hear what is new, not the whole list again.
    say({ login, running }) {
      const ended = [login?.outcome?.label, login?.message].filter(Boolean).join(": ");
      const now = running ? login.asked || login.steps.at(-1)?.step || "" : ended;
      if (this.said !== null && now !== this.said) {
        this.part("said").textContent = now;
      }
      this.said = now;
    }

    // Other scripts of the page listen on the element: `login-progress` at each change, `login-ended` once at the end.
    tell(progress) {
      const detail = { bubbles: true, detail: progress };
      const running = progress.running ? progress.login.id : "";
      this.box.dispatchEvent(new CustomEvent("login-progress", detail));
      if (this.running && running !== this.running) {
        this.box.dispatchEvent(new CustomEvent("login-ended", detail));
      }
      this.running = running;
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
