// Sign-on of 2026: everything is built by script; only input events reach the model, as with Vue's v-model.
const model = { username: "", password: "", vcode: "", slide: null };
const errorLine = element("div", { class: "para-widget-account-psw__error error", role: "alert" });
const extra = element("div", { class: "para-widget-account-psw__extra" });

function modelInput(key, attributes) {
  const input = element("input", attributes);
  input.addEventListener("input", () => (model[key] = input.value));
  return input;
}

async function encrypted(text) {
  const answer = await (await fetch(pageData.publicKeyUrl)).json();
  const der = Uint8Array.from(atob(answer.data.publicKey), (sign) => sign.charCodeAt(0));
  const algorithm = { name: "RSA-OAEP", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("spki", der, algorithm, false, ["encrypt"]);
  const sealed = await crypto.subtle.encrypt(algorithm, key, new TextEncoder().encode(text));
  return btoa(String.fromCharCode(...new Uint8Array(sealed)));
}

async function logIn() {
  errorLine.textContent = "";
  const password = await encrypted(model.password);
  const answer = await postJson(pageData.doLogin, {
    authType: "webLocalAuth",
    dataField: { username: model.username, password, vcode: model.vcode, slide: model.slide },
    redirectUri: new URLSearchParams(location.search).get("service"),
  });
  if (answer.code === "0") {
    location.href = answer.data.redirect;
    return;
  }
  errorLine.textContent = answer.msg;
  Object.assign(model, { vcode: "", slide: null });
  showExtra(answer.code, answer.data);
}

function showExtra(code, data) {
  if (code === "SSO10023" || code === "SSO10093") extra.replaceChildren(...imageCode(data));
  else if (code === "SSO10024" || code === "SSO10094") extra.replaceChildren(slider(data));
  else extra.replaceChildren();
}

function imageCode(data) {
  return [
    element("img", { class: "para-widget-account-psw__captcha", src: data.image, alt: "verification code" }),
    element(
      "div",
      { class: "para-widget-account-psw__input--vcode" },
      modelInput("vcode", { type: "text", placeholder: "Verification code", autocomplete: "off" }),
    ),
  ];
}

function slider(data) {
  const piece = element("div", { class: "slider-piece" });
  const handle = element("div", { class: "slider-handle" });
  const track = element("div", { class: "slider-track" }, handle);
  const picture = element("img", { src: data.image, alt: "slide the piece into the hole", draggable: "false" });
  const box = element("div", { class: "slider para-captcha-slider" }, picture, piece, track);
  box.style.width = `${data.width}px`;
  drag(handle, data.width - 40, (at) => {
    handle.style.left = piece.style.left = `${at}px`;
  });
  return box;
}

function drag(handle, most, show) {
  let start = null;
  const place = (event) => Math.min(most, Math.max(0, event.clientX - start));
  handle.addEventListener("pointerdown", (event) => {
    start = event.clientX;
    handle.setPointerCapture(event.pointerId);
  });
  handle.addEventListener("pointermove", (event) => start !== null && show(place(event)));
  handle.addEventListener("pointerup", (event) => {
    model.slide = place(event);
    start = null;
    logIn();
  });
}

function buildForm() {
  const account = modelInput("username", { type: "text", placeholder: "Username", autocomplete: "username" });
  const psw = modelInput("password", { type: "password", placeholder: "Password", autocomplete: "current-password" });
  const button = element("button", { type: "button", class: "para-widget-account-psw__login-button" }, "Log in");
  button.addEventListener("click", logIn);
  psw.addEventListener("keydown", (event) => event.key === "Enter" && logIn());
  const form = element(
    "div",
    { class: "para-widget-account-psw" },
    element("div", { class: "para-widget-account-psw__input--account" }, account),
    element("div", { class: "para-widget-account-psw__input--psw" }, psw),
    extra,
    errorLine,
    button,
  );
  document.getElementById("app").append(element("main", {}, element("h2", {}, "Unified Identity"), form));
  coverWithNotice(button, "System notice");
}

afterDelay(buildForm);
