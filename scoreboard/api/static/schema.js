// JSON Schema as people read it: a type in a few words, its fields as a list, and an example.

import { make } from "./dom.js";

const MAX_DEPTH = 5;

export class Schemas {
  #named;

  constructor(description) {
    this.#named = description.components?.schemas ?? {};
  }

  resolve(schema) {
    return schema.$ref ? this.#named[schema.$ref.split("/").pop()] : schema;
  }

  /** The type in a few words: "string, 1 to 128 characters". */
  words(schema) {
    if (schema.$ref) return this.#isPlain(schema) ? this.words(this.resolve(schema)) : name(schema);
    const either = schema.anyOf ?? schema.oneOf;
    if (either) return either.map((one) => this.words(one)).join(" or ");
    if ("const" in schema) return JSON.stringify(schema.const);
    if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(", ");
    if (schema.type === "array") {
      const items = schema.items ? this.words(schema.items) : "anything";
      return `list of ${items}${range(schema.minItems, schema.maxItems, " items")}`;
    }
    const type = [schema.type ?? "anything"].flat().join(" or ");
    const numbers = range(schema.minimum, schema.maximum);
    const lengths = range(schema.minLength, schema.maxLength, " characters");
    const format = schema.format ? ` (${schema.format})` : "";
    const preset = schema.default == null ? "" : `, default ${JSON.stringify(schema.default)}`;
    return `${type}${format}${numbers}${lengths}${preset}`;
  }

  /** The fields as a definition list, nested ones below; null when there are none. */
  fields(schema, depth = 0) {
    const target = this.#objectIn(schema);
    if (!target || depth === MAX_DEPTH) return null;
    const required = new Set(target.required);
    const list = make("dl", { className: "fields" });
    for (const [field, type] of Object.entries(target.properties)) {
      const { description, pattern } = this.resolve(type);
      const about = make("dd", {}, this.words(type));
      if (pattern) about.append(" matching ", make("code", {}, pattern));
      if (description) about.append(make("div", { className: "soft" }, description));
      about.append(this.fields(type, depth + 1) ?? "");
      list.append(make("div", {}, term(field, required.has(field)), about));
    }
    return list;
  }

  /** A value that fits, of the required fields. */
  example(schema, depth = 0) {
    const target = this.resolve(schema);
    if (target.examples) return target.examples[0];
    if ("default" in target) return target.default;
    const either = target.anyOf ?? target.oneOf;
    if (either) return this.example(either[0], depth);
    if ("const" in target) return target.const;
    if (target.enum) return target.enum[0];
    if (target.type === "array")
      return depth < MAX_DEPTH ? [this.example(target.items, depth + 1)] : [];
    if (target.type === "object") {
      const fields = (target.required ?? []).map((field) => [
        field,
        this.example(target.properties[field], depth + 1),
      ]);
      return Object.fromEntries(fields);
    }
    return { string: "text", integer: 1, number: 1.5, boolean: true }[target.type] ?? null;
  }

  #isPlain(schema) {
    return !this.resolve(schema).properties;
  }

  // The object to list fields of: the schema itself, a list's items or the one among alternatives.
  #objectIn(schema) {
    const target = this.resolve(schema);
    if (target.properties) return target;
    if (target.items) return this.#objectIn(target.items);
    const either = target.anyOf ?? target.oneOf ?? [];
    return either.map((one) => this.#objectIn(one)).find(Boolean) ?? null;
  }
}

export function term(field, required) {
  const star = make("span", { className: "required", title: "required" }, " *");
  return make("dt", {}, make("code", {}, field), required ? star : "");
}

function name(schema) {
  return schema.$ref.split("/").pop();
}

function range(least, most, unit = "") {
  if (least == null && most == null) return "";
  if (most == null) return `, at least ${least}${unit}`;
  if (least == null) return `, at most ${most}${unit}`;
  return `, ${least} to ${most}${unit}`;
}
