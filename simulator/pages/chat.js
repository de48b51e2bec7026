// Chat page: a start button, then the text area, then the page's own API calls with the token.
const app = document.getElementById("app");
const mainBox = element("main", { class: "wide" }, element("h2", {}, "Chat"));
app.append(mainBox);

async function userInfo() {
  return (await (await fetch("/v3/user-info")).json()).data;
}

// Where the token can be found besides the headers: the store of the page's framework, and the local storage.
function storeToken(user) {
  const $pinia = { state: { value: { user: { token: user.token, username: user.username } } } };
  app.__vue_app__ = { $pinia, config: { globalProperties: { $pinia } } };
  const key = btoa("__XP_JM_USER__");
  if (pageData.storage === "json") localStorage.setItem(key, JSON.stringify({ token: user.token }));
  if (pageData.storage === "packed") localStorage.setItem(key, `v1¨name¨¨${user.username}¨token¨¨${user.token}¨`);
  if (pageData.storage === "none") localStorage.removeItem(key);
}

function tokenHeaders(user) {
  const headers = { "Jm-Token": user.token };
  if (user.sdpAppSession) headers["Sdp-App-Session"] = user.sdpAppSession;
  return headers;
}

function call(user, path) {
  return fetch(`${user.apiUrl}/${path}?lang=en&sf_request_type=ajax`, { headers: tokenHeaders(user) });
}

async function callApi(user) {
  const config = await (await call(user, "chat/config")).json();
  await new Promise((resolve) => setTimeout(resolve, pageData.interval * 1000));
  const sessions = await (await call(user, "chat/session")).json();
  const list = element("ul", {}, ...sessions.data.map((session) => element("li", {}, session.name)));
  mainBox.append(element("p", {}, `${config.data.models.length} models`), list);
}

async function start(user, button) {
  button.remove();
  setTimeout(() => {
    mainBox.append(element("textarea", { rows: "4", placeholder: "Ask me anything" }));
    if (pageData.callsApi) callApi(user);
  }, pageData.delay);
}

afterDelay(async () => {
  const user = await userInfo();
  storeToken(user);
  const label = element("span", { class: "n-button__content" }, "Start a chat");
  const button = element("button", { type: "button", class: "n-button" }, label);
  button.addEventListener("click", () => start(user, button));
  mainBox.append(button);
});
