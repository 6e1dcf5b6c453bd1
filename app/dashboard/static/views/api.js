// The API reference: every address, field and answer, from what the service tells of itself.

import { get } from "../api.js";
import { fill, h } from "../dom.js";
import { field, load, table } from "../parts.js";
import { fieldTable, meaning, nameOf, prose, typeOf } from "../schema.js";

export async function render(place, params, { signal }) {
  const body = h("div");
  const wanted = h("input", { type: "search", autocomplete: "off" });
  fill(
    place,
    h("h1", "API reference"),
    h("p", "Made from ", h("a", { href: "/openapi.json" }, "/openapi.json"), ", which says the same to programs."),
    field("Find", wanted, "A part of an address, or of what it does."),
    body,
  );
  await load(
    body,
    "Reading the schema",
    async () => {
      const schema = await get("/openapi.json", { signal });
      const list = h("div");
      const show = () => fill(list, sections(schema, wanted.value.trim().toLowerCase()));
      wanted.addEventListener("input", show);
      show();
      return list;
    },
    { signal },
  );
}

function sections(schema, wanted) {
  const byTag = new Map();
  for (const [path, methods] of Object.entries(schema.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      if (!`${method} ${path} ${operation.description ?? ""}`.toLowerCase().includes(wanted)) continue;
      const tag = operation.tags?.[0] ?? "service";
      if (!byTag.has(tag)) byTag.set(tag, []);
      byTag.get(tag).push(shown(schema, path, method, operation));
    }
  }
  if (!byTag.size) return h("p", "Nothing fits.");
  return [...byTag].sort().map(([tag, operations]) => h("section", h("h2", tag), operations));
}

/** One address, closed until it is asked for: its tables are made then. */
function shown(schema, path, method, operation) {
  const inside = h("div");
  const details = h(
    "details.operation",
    h("summary", h("strong", method.toUpperCase()), " ", h("code", path), h("span.muted", " ", prose(firstLine(operation)))),
    inside,
  );
  details.addEventListener("toggle", () => {
    if (details.open && !inside.childNodes.length) fill(inside, told(schema, operation));
  });
  return details;
}

const firstLine = (operation) => (operation.description ?? "").split("\n\n")[0];

function told(schema, operation) {
  // A schema that is asked for by its name opens below, once.
  const below = h("div");
  const opened = new Set();
  const open = (name) => {
    if (!opened.has(name)) below.append(schemaShown(schema, name, open));
    opened.add(name);
    below.querySelector(`[data-schema="${CSS.escape(name)}"]`)?.scrollIntoView({ block: "nearest" });
  };
  return [
    (operation.description ?? "").split("\n\n").map((part) => h("p", prose(part))),
    parameters(operation.parameters ?? [], open),
    bodies(operation.requestBody?.content ?? {}, open),
    answers(operation.responses, open),
    below,
  ];
}

function parameters(list, open) {
  if (!list.length) return null;
  return table(
    [
      ["Parameter", (one) => [h("code", one.name), h("span.muted", ` ${one.in}`)]],
      ["Type", (one) => typeOf(one.schema, open)],
      ["Meaning", (one) => meaning({ ...one.schema, ...one })],
    ],
    list,
    { caption: "Parameters" },
  );
}

function bodies(content, open) {
  return Object.entries(content).flatMap(([kind, { schema }]) =>
    (schema.oneOf ?? schema.anyOf ?? [schema]).map((one) => [
      h("p", "Body, ", h("code", kind), nameOf(one) ? [": ", typeOf(one, open)] : ":"),
      one.properties ? fieldTable(one, open) : null,
    ]),
  );
}

function answers(responses, open) {
  return h(
    "ul",
    Object.entries(responses).map(([status, answer]) =>
      h(
        "li",
        status === "default" ? "Else" : status,
        ": ",
        prose(answer.description),
        " ",
        Object.entries(answer.content ?? {}).map(([kind, { schema }]) => [
          h("code", kind),
          " ",
          schema && nameOf(schema) ? typeOf(schema, open) : null,
          " ",
        ]),
      ),
    ),
  );
}

function schemaShown(schema, name, open) {
  const one = schema.components.schemas[name];
  return h(
    "section",
    { dataset: { schema: name } },
    h("h3", name),
    one.description ? h("p", prose(one.description)) : null,
    one.properties ? fieldTable(one, open) : h("p", typeOf(one, open)),
  );
}
