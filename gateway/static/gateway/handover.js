// The window that the bookmark opens on the portal. It takes one message: from the page that opened it, if that is the
// portal's, with this page's own number. Nothing is stored until the member sends the form.
"use strict";

(() => {
  const box = document.querySelector("[data-handover]");
  const part = (name) => box.querySelector(`[data-handover-${name}]`);
  const { portal, nonce, username } = box.dataset;
  const NAMES = ["username", "preferred_username", "user_name", "userName", "account"];
  const USERNAME = /^[A-Za-z]+(\.[A-Za-z]+)+\d*$/;
  const PATIENCE_MS = 5000;
  let taken = false;

  function claimsOf(token) {
    try {
      const bytes = Uint8Array.from(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")), (sign) => sign.charCodeAt(0));
      return JSON.parse(new TextDecoder().decode(bytes)) ?? {};
    } catch {
      return {};
    }
  }

  function userOf(claims) {
    const named = NAMES.map((name) => claims[name]).find((value) => typeof value === "string" && value);
    return named ?? (USERNAME.test(claims.sub ?? "") ? claims.sub : "");
  }

  function say(name, value) {
    part(name).textContent = value || part(name).dataset.unknown;
  }

  function show(message) {
    const claims = claimsOf(message.jm_token);
    const user = userOf(claims);
    say("user", user);
    say("until", Number.isFinite(claims.exp) ? new Date(claims.exp * 1000).toLocaleString(document.documentElement.lang) : "");
    say("api", message.api_url);
    part("foreign").hidden = !user || user.toLowerCase() === username.toLowerCase();
    const { jm_token, cookies, api_url, user_agent } = message;
    part("token").value = JSON.stringify({ jm_token, cookies, api_url, user_agent });
    part("waiting").hidden = true;
    part("alone").hidden = true;
    part("form").hidden = false;
    part("form").querySelector("button").focus();
  }

  window.addEventListener("message", (event) => {
    const message = event.data;
    const isOurs = event.origin === portal && event.source === window.opener && !taken;
    if (!isOurs || message?.type !== "token" || message.nonce !== nonce || typeof message.jm_token !== "string") {
      return;
    }
    taken = true;
    show(message);
  });

  part("close").addEventListener("click", () => window.close());
  setTimeout(() => {
    part("alone").hidden = taken;
    part("waiting").hidden = true;
  }, window.opener ? PATIENCE_MS : 0);
  window.opener?.postMessage({ type: "ready", nonce }, portal);
})();
