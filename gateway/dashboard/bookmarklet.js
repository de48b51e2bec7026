// Runs in the portal's page, from a bookmark. What stands in capitals is filled in by bookmarklet.py.
(() => {
  const ours = GATEWAY, portal = PORTAL, words = WORDS;
  if (location.origin !== portal) return alert(words.elsewhere);

  // The page's own store, else its local storage: JSON, or text in which `token¨¨<TOKEN>¨` stands.
  const inStorage = (text) => {
    try { return JSON.parse(text)?.token; } catch { return /(?:^|\u00a8)token\u00a8\u00a8([^\u00a8]+)/.exec(text)?.[1]; }
  };
  const app = document.querySelector("#app")?.__vue_app__;
  const pinia = app?.$pinia ?? app?.config?.globalProperties?.$pinia;
  const token = pinia?.state?.value?.user?.token || inStorage(localStorage.getItem(btoa("__XP_JM_USER__")) || "null");
  if (!token) return alert(words.nothing);

  const call = /^(.+?)\/(?:chat\/(?:config|session|saveSession|delSession|completions)|common\/upload)\/?(?:[?#]|$)/;
  const bases = performance.getEntriesByType("resource").map((entry) => call.exec(entry.name)?.[1]).filter(Boolean);
  const pairs = document.cookie.split("; ").filter(Boolean).map((pair) => [pair.split("=", 1)[0], pair.slice(pair.indexOf("=") + 1)]);
  const message = { type: "token", jm_token: String(token), cookies: Object.fromEntries(pairs), api_url: bases.at(-1) || "", user_agent: navigator.userAgent };

  const page = open(ours + PATH, "_blank");
  if (!page) return alert(words.blocked);
  addEventListener("message", function answer(event) {
    if (event.origin !== ours || event.source !== page || event.data?.type !== "ready") return;
    removeEventListener("message", answer);
    page.postMessage({ ...message, nonce: event.data.nonce }, ours);
  });
})()
