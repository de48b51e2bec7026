// The list of models: searched, narrowed and ordered in the page; and the button that asks the school, which may take long.
"use strict";

const list = document.querySelector(".model-list");
const search = document.getElementById("model-search");
const can = document.getElementById("model-can");
const sort = document.getElementById("model-sort");

function isWanted(item) {
  const text = `${item.dataset.label} ${item.dataset.id}`.toLowerCase();
  const words = search.value.toLowerCase().split(/\s+/);
  return words.every((word) => text.includes(word)) && item.dataset.can.includes(can.value);
}

// An unknown price comes last, not first.
const ORDERS = {
  place: (one, other) => one.dataset.place - other.dataset.place,
  label: (one, other) => one.dataset.label.localeCompare(other.dataset.label),
  points: (one, other) => price(one) - price(other) || ORDERS.place(one, other),
};

function price(item) {
  return item.dataset.points === "" ? Number.MAX_VALUE : Number(item.dataset.points);
}

function show() {
  const items = [...list.children];
  items.forEach((item) => { item.hidden = !isWanted(item); });
  const count = items.filter((item) => !item.hidden).length;
  document.querySelector("[data-models-none]").hidden = count > 0;
  const told = document.querySelector("[data-models-count]");
  told.textContent = `${told.dataset.modelsCount} ${count}`;
}

if (list) {
  search.addEventListener("input", show);
  can.addEventListener("change", show);
  sort.addEventListener("change", () => list.append(...[...list.children].sort(ORDERS[sort.value])));
}

const asking = document.querySelector("[data-ask-school]");
const label = asking?.querySelector("[data-label]");
const before = label?.textContent;

function showAsking(isAsking) {
  label.textContent = isAsking ? asking.dataset.askSchool : before;
  label.parentElement.setAttribute("aria-busy", String(isAsking));
  asking.querySelector("[role='status']").textContent = isAsking ? asking.dataset.askSchool : "";
}

if (asking) {
  asking.addEventListener("submit", () => showAsking(true));
  // The page that the browser keeps for "back" asks no longer.
  window.addEventListener("pagehide", () => showAsking(false));
}
