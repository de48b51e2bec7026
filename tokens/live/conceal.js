// Run in the school's pages by concealment.py, with (a secret): hides it wherever the page would show it. Returns how
// much had to be hidden anew, and whether the page is wider than its window.
const [secret] = arguments;
const LEAST = 3;
const TEXT_KINDS = ["text", "search", "tel", "url", "email", "number", "password", "textarea"];
const DISCS = "-webkit-text-security";

// A field that has held it stays hidden for good: a person may have erased parts of it.
const concealed = (window.concealedFields ??= new WeakSet());
const size = Math.min(LEAST, secret.length);
const parts = Array.from({ length: secret.length - size + 1 }, (_, at) => secret.slice(at, at + size));
let found = 0;

function* documents(root) {
  yield root;
  for (const element of root.querySelectorAll("*")) {
    const inner = element.shadowRoot || element.contentDocument;
    if (inner) yield* documents(inner);
  }
}

function concealField(field) {
  if (parts.some((part) => field.value.includes(part))) concealed.add(field);
  if (!concealed.has(field)) return;
  found += field.style.getPropertyValue(DISCS) !== "disc" && field.type !== "password";
  field.style.setProperty(DISCS, "disc", "important");
  if (field.tagName === "INPUT") field.type = "password";
}

function concealTexts(root) {
  const walker = (root.ownerDocument || root).createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!node.data.includes(secret)) continue;
    node.data = node.data.replaceAll(secret, "•••");
    found += 1;
  }
}

if (secret) {
  for (const root of documents(document)) {
    [...root.querySelectorAll("input, textarea")].filter((field) => TEXT_KINDS.includes(field.type)).forEach(concealField);
    concealTexts(root);
  }
}
return [found, document.documentElement.scrollWidth > window.innerWidth + 1];
