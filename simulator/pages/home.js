// Home: the link to the chat appears late, as in a single-page app.
afterDelay(() => {
  const link = element("a", { href: "/v3/chat" }, "Chat");
  document.getElementById("app").append(element("main", { class: "wide" }, element("h2", {}, "XIPU AI"), link));
});
