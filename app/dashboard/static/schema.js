// A JSON schema in words and tables, as the service tells it in /openapi.json.

import { h } from "./dom.js";
import { table } from "./parts.js";

const PREFIX = "#/components/schemas/";
const LONGEST_EXAMPLE = 80;

/** The name that a schema goes by elsewhere in the document; null for one without. */
export const nameOf = (schema) => schema.$ref?.slice(PREFIX.length) ?? null;

/** A type with its limits; names of other schemas become buttons that call `open(name)`. */
export function typeOf(schema, open) {
  const name = nameOf(schema);
  if (name) return h("button.link", { type: "button", onclick: () => open(name) }, name);
  const several = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (several) return between(several.map((one) => typeOf(one, open)));
  if ("const" in schema) return h("code", String(schema.const));
  if (schema.enum) return between(schema.enum.map((value) => h("code", String(value))));
  if (schema.type === "array") return ["list of ", schema.items ? typeOf(schema.items, open) : "anything", limits(schema)];
  return [schema.type ?? "anything", limits(schema)];
}

/** The fields of an object: name, type, meaning. */
export function fieldTable(schema, open) {
  const required = new Set(schema.required ?? []);
  return table(
    [
      ["Field", ([name]) => [h("code", name), required.has(name) ? h("span.muted", " required") : null]],
      ["Type", ([, told]) => typeOf(told, open)],
      ["Meaning", ([, told]) => meaning(told)],
    ],
    Object.entries(schema.properties),
    { caption: "Fields" },
  );
}

/** What a field or a parameter is for, its default, and an example where that is short. */
export function meaning(told) {
  const example = told.examples?.[0];
  return [
    prose(told.description ?? ""),
    isTold(told.default) ? [" Default ", code(told.default), "."] : null,
    isTold(example) ? [" Example ", code(example), "."] : null,
  ];
}

/** A description: what it has in backticks is code. */
export const prose = (text) => text.split("`").map((part, at) => (at % 2 ? h("code", part) : part));

const isTold = (value) => value !== undefined && value !== null && value !== "";

function code(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return h("code", text.length > LONGEST_EXAMPLE ? `${text.slice(0, LONGEST_EXAMPLE)}…` : text);
}

function between(parts) {
  return parts.flatMap((part, at) => (at ? [" or ", part] : [part]));
}

function limits(schema) {
  const told = [
    range(schema.minItems, schema.maxItems, ""),
    range(schema.minLength, schema.maxLength, " characters"),
    range(schema.minimum, schema.maximum, ""),
    schema.exclusiveMinimum === undefined ? null : `above ${schema.exclusiveMinimum}`,
    schema.exclusiveMaximum === undefined ? null : `below ${schema.exclusiveMaximum}`,
  ].filter(Boolean);
  return told.length ? `, ${told.join(", ")}` : null;
}

function range(least, most, unit) {
  if (least === undefined && most === undefined) return null;
  if (least === undefined) return `at most ${most}${unit}`;
  if (most === undefined) return `at least ${least}${unit}`;
  return least === most ? `${least}${unit}` : `${least} to ${most}${unit}`;
}
