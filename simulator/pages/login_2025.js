// Sign-on of 2025: a form. The visible fields are copied to the hidden ones that are sent.
function buildForm() {
  const username = element("input", { id: "username_show", type: "text", autocomplete: "username" });
  const password = element("input", { id: "password_show", type: "password", autocomplete: "current-password" });
  const sentUsername = element("input", { type: "hidden", name: "username" });
  const sentPassword = element("input", { type: "hidden", name: "password" });
  const button = element("input", { type: "button", value: "Login" });
  const form = element("form", { method: "post", action: location.href });
  const send = () => {
    sentUsername.value = username.value;
    sentPassword.value = password.value;
    form.submit();
  };
  button.addEventListener("click", send);
  password.addEventListener("keydown", (event) => event.key === "Enter" && send());
  form.append(
    element("label", {}, "Username", username),
    element("label", {}, "Password", password),
    element("div", { id: "msg" }, pageData.message),
    element("div", { id: "btn_login" }, button),
    sentUsername,
    sentPassword,
  );
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("app").append(element("main", {}, element("h2", {}, "Single Sign-On"), form));
  coverWithNotice(button, "System notice");
}

afterDelay(buildForm);
