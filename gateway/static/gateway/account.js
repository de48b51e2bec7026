// The bookmark's button is for dragging: our own pages run no script from an address, so a click explains instead.
"use strict";

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-bookmark]")) {
    event.preventDefault();
    const said = document.querySelector("[data-bookmark-said]");
    said.textContent = said.dataset.words;
  }
});
