// The figures of one version, or of two side by side with what lies between them.

import { h } from "../dom.js";
import { bytes, count, decimal, moment, score } from "../format.js";
import { table } from "../parts.js";
import { link } from "../router.js";

const num = (read, told) => ({ read, told });
const LINES = [
  ["Macro-F1", num((one) => one.metrics.macro_f1, score), "higher"],
  ["Accuracy", num((one) => one.metrics.accuracy, score), "higher"],
  ["Agreement with its teacher", num((one) => one.metrics.teacher_agreement, score), "higher"],
  ["Its teacher's macro-F1", num((one) => one.metrics.teacher_macro_f1, score), null],
  ["Gold rows that measured", num((one) => one.metrics.gold_rows, count), null],
  ["Half of the texts within, ms", num((one) => served(one)?.p50_ms, decimal), "lower"],
  ["Texts a second, one caller", num((one) => served(one)?.texts_per_second, count), "higher"],
  ["Size", num((one) => one.size_bytes, bytes), "lower"],
];
const WORDS = [
  ["Labels", (one) => count(one.labels.length)],
  ["Base model", (one) => one.base_model],
  ["Engine", (one) => [one.serving.engine, h("div.hint", one.serving.reason)]],
  ["Made", (one) => moment(one.created_at)],
  ["By the job", (one) => h("a", { href: link("jobs", one.job_id) }, one.job_id)],
  ["Id", (one) => h("code", one.id)],
];

export function comparison(models) {
  const columns = [
    ["", ([name]) => name, "keep"],
    ...models.map((one, at) => [`${one.name} ${one.version}`, ([, cells]) => cells[at], "any"]),
  ];
  if (models.length > 1) columns.push(["Difference", ([, , gap]) => gap, "num"]);
  const figures = LINES.flatMap(([name, { read, told }, better]) => {
    const values = models.map((one) => read(one) ?? null);
    if (values.every((value) => value === null)) return []; // Nobody measured it.
    return [[name, values.map(told), models.length > 1 ? difference(values, told, better) : null]];
  });
  const words = WORDS.map(([name, read]) => [name, models.map(read), null]);
  const measured = models.length > 1 ? h("p.hint", "Figures of different jobs compare only if the same texts measured them.") : null;
  return h("div.stack", table(columns, [...figures, ...words], { caption: "Figures" }), measured, labelsThatDiffer(models));
}

function difference([one, other], told, better) {
  if (one === null || other === null) return "–";
  const gap = other - one;
  if (gap === 0) return "0";
  const isGood = better === null ? null : gap > 0 === (better === "higher");
  const kind = isGood === null ? "muted" : isGood ? "good-text" : "bad-text";
  return h("span", { class: kind }, `${gap > 0 ? "+" : "−"}${told(Math.abs(gap))}`);
}

function labelsThatDiffer(models) {
  if (models.length < 2) return null;
  const [one, other] = models.map((model) => new Set(model.labels));
  const differing = [...one].filter((label) => !other.has(label)).concat([...other].filter((label) => !one.has(label)));
  return differing.length ? h("p.hint.warn-text", `Labels that only one of them has: ${differing.join(", ")}.`) : null;
}

/** What was measured of the engine that serves it, on the newest machine. */
function served(model) {
  const machine = model.serving.machines.at(-1);
  return machine?.engines.find((one) => one.engine === model.serving.engine) ?? null;
}
