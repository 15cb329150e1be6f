// The API's page: Redoc shows the calls (openapi.json) or the WebSocket's messages (asyncapi.json).

import { init } from "./redoc.js";

const live = new URLSearchParams(location.search).has("live");
const [description, link] = live ? ["asyncapi.json", "docs?live"] : ["openapi.json", "docs"];
document.querySelector(`nav a[href="${link}"]`).setAttribute("aria-current", "page");
init(
  new URL(description, document.baseURI).href,
  {
    codeSamples: { languages: ["curl", "JavaScript", "Python"].map((lang) => ({ lang })) },
    disableTelemetry: true,
    router: "hash",
    schemasExpansionLevel: 1,
    sortRequiredPropsFirst: true,
  },
  document.getElementById("description"),
);
