// The management API's pages. Nothing is asked of another host: not even the schema's validity.
"use strict";

(() => {
  const place = document.getElementById("api-docs");
  const colour = () => {
    document.documentElement.classList.toggle("dark-mode", document.documentElement.classList.contains("dark"));
  };
  colour();
  document.addEventListener("theme", colour);

  SwaggerUIBundle({
    url: place.dataset.schema,
    domNode: place,
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
    deepLinking: true,
    validatorUrl: null,
    defaultModelsExpandDepth: 0,
    docExpansion: "list",
    persistAuthorization: false,
    // The page has its own main part, of which this is one.
    onComplete: () => place.querySelector("main").setAttribute("role", "group"),
    requestInterceptor: (request) => {
      if (request.method && request.method !== "GET") {
        request.headers["X-CSRFToken"] = place.dataset.csrf;
      }
      return request;
    },
  });
})();
