// The API's page, made from openapi.json.

import { make } from "./dom.js";
import { Schemas, term } from "./schema.js";

const $ = (id) => document.getElementById(id);

try {
  const response = await fetch("openapi.json");
  if (!response.ok) throw new Error(`status ${response.status}`);
  show(await response.json());
} catch (error) {
  $("about").textContent = `openapi.json can't be read: ${error.message}`;
}

function show(description) {
  $("title").textContent = description.info.title;
  $("version").textContent = description.info.version;
  $("about").textContent = description.info.description ?? "";
  const schemas = new Schemas(description);
  const byTag = Map.groupBy(callsIn(description), ({ call }) => call.tags?.[0] ?? "other");
  for (const [tag, calls] of byTag) {
    $("contents").append(make("h2", {}, tag), ...calls.map(entry));
    $("calls").append(...calls.map((call) => card(call, schemas)));
  }
  // The browser looked for the address's #call before there was one.
  if (location.hash) $(location.hash.slice(1))?.scrollIntoView();
}

function callsIn({ paths }) {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, call]) => ({ path, method, call })),
  );
}

function entry({ path, method, call }) {
  return make("a", { href: `#${call.operationId}` }, badge(method), path);
}

function badge(method) {
  return make("span", { className: `method ${method}` }, method.toUpperCase());
}

function card({ path, method, call }, schemas) {
  const element = make(
    "article",
    { className: "call", id: call.operationId },
    make("h3", {}, badge(method), make("code", {}, path)),
    make("p", {}, call.summary ?? ""),
    make("p", { className: "soft" }, ...access(call)),
  );
  const section = (title, content) => element.append(make("h4", {}, title), content);
  if (call.parameters) section("Parameters", parameters(call.parameters, schemas));
  const body = call.requestBody?.content["application/json"]?.schema;
  if (body) section("Body", schemas.fields(body) ?? schemas.words(body));
  section(
    "Answers",
    make("div", {}, ...Object.entries(call.responses).map((a) => answer(a, schemas))),
  );
  section("Try it", make("pre", {}, command(path, method, call, body && schemas.example(body))));
  return element;
}

function access({ security }) {
  const scopes = (security ?? []).flatMap((one) => Object.values(one).flat());
  if (scopes.length === 0) return ["No token needed."];
  const names = scopes.flatMap((scope, i) => [i ? " or " : "", make("code", {}, scope)]);
  return ["Token with the scope ", ...names, "."];
}

function parameters(list, schemas) {
  const rows = list.map(({ name, in: where, required, schema, description }) => {
    const about = make("dd", {}, `${where}: ${schemas.words(schema)}`);
    if (schema.pattern) about.append(" matching ", make("code", {}, schema.pattern));
    if (description) about.append(make("div", { className: "soft" }, description));
    return make("div", {}, term(name, required), about);
  });
  return make("dl", { className: "fields" }, ...rows);
}

function answer([status, { description, content }], schemas) {
  const isError = Number(status) >= 400;
  const head = [
    make("span", { className: `status ${isError ? "error" : ""}` }, status),
    description,
  ];
  const schema = Object.values(content ?? {})[0]?.schema;
  const fields = schema && schemas.fields(schema);
  return fields
    ? make("details", {}, make("summary", {}, ...head), fields)
    : make(
        "details",
        {},
        make("summary", {}, ...head),
        make("p", { className: "soft" }, "No body."),
      );
}

function command(path, method, { security }, example) {
  const parts = [
    `curl '${new URL(`.${path}`, document.baseURI).href.replace(/%7B(\w+)%7D/g, "{$1}")}'`,
  ];
  if (method !== "get") parts[0] = parts[0].replace("curl", `curl -X ${method.toUpperCase()}`);
  if (security) parts.push(`-H "Authorization: Bearer $TOKEN"`);
  if (example !== undefined) {
    const json = JSON.stringify(example).replaceAll("'", "'\\''");
    parts.push("-H 'Content-Type: application/json'", `-d '${json}'`);
  }
  return parts.join(" \\\n  ");
}
