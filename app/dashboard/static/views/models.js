// Models: every name, its newest version, and where its aliases point.

import { MOST, all } from "../api.js";
import { fill, h } from "../dom.js";
import { ago, bytes, count, score } from "../format.js";
import { empty, table, waiting } from "../parts.js";
import { link } from "../router.js";

const COLUMNS = [
  ["Model", ([name]) => h("a", { href: link("models", name) }, name), "wide"],
  ["Versions", ([, versions]) => count(versions.length), "num"],
  ["Aliases", ([, versions]) => aliases(versions)],
  ["Labels", ([, [newest]]) => count(newest.labels.length), "num"],
  ["Macro-F1", ([, [newest]]) => score(newest.metrics.macro_f1), "num"],
  ["Agreement", ([, [newest]]) => score(newest.metrics.teacher_agreement), "num"],
  ["Size", ([, [newest]]) => bytes(newest.size_bytes), "num"],
  ["Newest", ([, [newest]]) => h("span.muted", ago(newest.created_at)), "num"],
];

export async function render(main, params, { signal }) {
  fill(main, h("h1", "Models"), waiting("Loading the models"));
  const models = await all("/models", { signal });
  const heading = h("div.head", h("div", h("h1", "Models"), h("p.lead", "Trained students. A version never changes; an alias of yours says which one serves.")));
  if (!models.length) {
    fill(main, heading, empty("No models yet", "A job that succeeds ends with one.", h("a.button.primary", { href: "#/new" }, "New job")));
    return;
  }
  const names = new Map();
  for (const one of models) names.set(one.name, [...(names.get(one.name) ?? []), one]);
  for (const versions of names.values()) versions.sort((one, other) => other.version - one.version);
  fill(main, heading, h("section.panel", { "aria-label": "Models" }, table(COLUMNS, [...names], { caption: "Models" }), models.length < MOST ? null : h("p.hint", `The newest ${MOST} versions; `, h("code", "GET /models"), " has them all.")));
}

function aliases(versions) {
  const told = versions.flatMap((one) => one.aliases.map((alias) => `${alias} → ${one.version}`));
  return told.length ? h("span.row", told.map((one) => h("span.badge", one))) : h("span.muted", "–");
}
