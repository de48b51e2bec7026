// What all pages share: the server's data, elements that appear late, JSON over fetch.
const pageData = JSON.parse(document.getElementById("page-data").textContent);

function afterDelay(action) {
  // An automated browser meets a blank page where the school is set to check for one.
  if (pageData.blank && navigator.webdriver) {
    document.body.replaceChildren();
    return;
  }
  setTimeout(action, pageData.delay);
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

async function postJson(url, body) {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  return answer.json();
}

// A notice that covers `button` until a person closes it: a plain click lands on the notice.
function coverWithNotice(button, text) {
  const box = button.getBoundingClientRect();
  const close = element("a", { href: "#", class: "notice-close" }, "×");
  const notice = element("div", { class: "notice" }, text, " ", close);
  notice.style.left = `${box.left + scrollX - 4}px`;
  notice.style.top = `${box.top + scrollY - 4}px`;
  notice.style.minWidth = `${box.width + 8}px`;
  notice.style.minHeight = `${box.height + 8}px`;
  close.addEventListener("click", (event) => {
    event.preventDefault();
    notice.remove();
  });
  document.body.append(notice);
}
