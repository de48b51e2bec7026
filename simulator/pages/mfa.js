// Second factor: one visible text field and a button.
function buildForm() {
  const code = element("input", { type: "text", placeholder: "Verification code", autocomplete: "one-time-code" });
  const device = element("input", { type: "hidden", name: "deviceId", value: "browser" });
  const button = element("button", { type: "button" }, "Verify");
  const errorLine = element("div", { class: "error", role: "alert" });
  const verify = async () => {
    const answer = await postJson(pageData.url, { code: code.value });
    if (answer.code === "0") location.href = answer.data.redirect;
    else errorLine.textContent = answer.msg;
  };
  button.addEventListener("click", verify);
  code.addEventListener("keydown", (event) => event.key === "Enter" && verify());
  const text = "Abnormal login: a verification code was sent to your mobile phone.";
  document
    .getElementById("app")
    .append(element("main", {}, element("h2", {}, "Second factor"), element("p", {}, text), code, device, errorLine, button));
}

afterDelay(buildForm);
