// Run in the school's pages by pages.py, with (selectors by field, addresses of the second factor's page, ...).
const [selectors, codePages] = arguments;
const invalid = [];

function all(field) {
  return selectors[field].flatMap((selector) => {
    try { return [...document.querySelectorAll(selector)]; } catch (error) { invalid.push(selector); return []; }
  });
}

function isVisible(element) {
  const box = element.getBoundingClientRect();
  return box.width > 0 && box.height > 0 && element.checkVisibility({ visibilityProperty: true });
}

const shown = (field) => all(field).filter(isVisible);
const onCodePage = () => codePages.some((address) => (location.pathname + location.hash).toLowerCase().includes(address));

// The one visible text field: where there are several, none is known to be the one.
function codeField() {
  const kinds = ["text", "tel", "number", "password"];
  const inputs = [...document.querySelectorAll("input")].filter(isVisible);
  const fields = inputs.filter((input) => kinds.includes(input.type));
  return onCodePage() && fields.length === 1 ? fields[0] : undefined;
}

// A button that sends a code to a phone is not the one that submits it.
const otherButton = /send|\bget\b|back|cancel|获取|发送|返回|取消/i;
const submitButton = /verif|submit|confirm|continue|log ?in|sign ?in|ok|登录|确[定认]|验证|提交/i;

function codeButton() {
  const kinds = "button, input[type=submit], input[type=button], [role=button], a[class*='btn' i], a[class*='button' i]";
  const buttons = [...document.querySelectorAll(kinds)].filter(isVisible);
  const label = (button) => button.innerText || button.value || "";
  const submits = buttons.filter((button) => !otherButton.test(label(button)));
  const named = submits.find((button) => submitButton.test(label(button)));
  return named || submits.find((button) => button.type === "submit") || submits[0];
}

function find(field) {
  const known = shown(field);
  if (known.length) return known.find((element) => !element.disabled) || known[0];
  if (field === "code") return codeField();
  return field === "code_button" ? codeButton() : all(field)[0];
}

function click(field) {
  const element = find(field);
  if (!element || element.disabled) return false;
  element.removeAttribute("target");
  element.click();
  return true;
}

function look() {
  const text = document.body ? document.body.innerText.trim() : "";
  const link = shown("chat_link")[0];
  const things = "input, button, img, svg, canvas, iframe, video";
  const visible = Object.keys(selectors).filter((field) => shown(field).some((element) => !element.disabled));
  if (!visible.includes("code") && codeField()) visible.push("code");
  return {
    url: location.href,
    document: performance.timeOrigin,
    complete: document.readyState === "complete",
    visible,
    textarea: all("textarea").length > 0,
    link_leads_here: Boolean(link) && link.pathname === location.pathname,
    error: [...new Set(shown("error").map((element) => element.innerText.trim()))].filter(Boolean).join(" "),
    text: text.slice(0, 1000),
    empty: !text && ![...document.querySelectorAll(things)].some(isVisible),
    invalid,
  };
}

function blank(texts, everything) {
  for (const field of document.querySelectorAll("input, textarea")) field.value = "";
  const escaped = texts.filter(Boolean).map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const hidden = everything ? /\S/g : new RegExp(escaped.join("|") || "(?!)", "gi");
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) walker.currentNode.data = walker.currentNode.data.replaceAll(hidden, "x");
  return true;
}
