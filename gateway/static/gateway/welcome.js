// The card beside the first key: the account's models are known only some seconds after its first login, and one of
// them then fills the places that were left for it.
"use strict";

(() => {
  const card = document.querySelector("[data-model-at]");
  if (!card) {
    return;
  }
  const EVERY_MS = 3000;
  const { modelAt, modelUnknown } = card.dataset;

  async function ask() {
    const answer = await fetch(modelAt, { headers: { accept: "application/json" } });
    return answer.ok ? (await answer.json()).model : "";
  }

  function fill(model) {
    card.querySelectorAll("[data-unknown]").forEach((each) => {
      const code = document.createElement("code");
      code.textContent = model;
      each.replaceWith(code);
    });
    card.querySelectorAll("pre code").forEach((each) => {
      each.textContent = each.textContent.replaceAll(modelUnknown, model);
    });
  }

  async function look() {
    const model = await ask().catch(() => "");
    if (model) {
      fill(model);
    } else if (card.isConnected) {
      setTimeout(look, EVERY_MS);
    }
  }

  look();
})();
