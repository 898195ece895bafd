"use strict";

// The page asks the server it came from, by whatever name the browser knows it; the specification
// names the public address, which this page may not call (Content-Security-Policy).
fetch("/v3/api-docs")
  .then((answer) => answer.json())
  .then((spec) => {
    spec.servers = [{ url: window.location.origin, description: "This server" }];
    window.ui = SwaggerUIBundle({
      spec,
      dom_id: "#swagger-ui",
      deepLinking: true,
      displayRequestDuration: true,
      persistAuthorization: false,
      tryItOutEnabled: true,
      validatorUrl: null,
      requestSnippetsEnabled: true,
    });
  });
