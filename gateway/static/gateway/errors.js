// What an error of the gateway means, in the page's language: from templates/dashboard/error_words.html.
"use strict";

const ERRORS = {
  causes: JSON.parse(document.getElementById("error-causes").textContent),

  cause(code) {
    return this.causes[code] ?? this.causes[""];
  },

  // The gateway's own words, folded.
  said(text) {
    const fold = document.getElementById("error-said").content.firstElementChild.cloneNode(true);
    fold.querySelector("p").textContent = text;
    return fold;
  },
};
