// All that has a sound default: the name, what measures, selection, student, budget, certificate.

import { h } from "../dom.js";
import { plural } from "../format.js";
import { field, select } from "../parts.js";

const SELECTIONS = [
  ["llkd", "LLKD: teacher sure, student unsure", {}],
  ["lazy", "LLKD, asking the teacher only where it pays", { kind: "llkd", labeling: "lazy" }],
  ["auto", "Try several, keep the best", { kind: "auto" }],
  ["all", "Every answer", { kind: "all" }],
  ["random", "A random share", { kind: "random" }],
  ["class_confidence", "The surest of every label", { kind: "class_confidence" }],
  ["teacher_confidence", "Where the teacher is sure", { kind: "teacher_confidence" }],
  ["student_uncertainty", "Where the student is unsure", { kind: "student_uncertainty" }],
  ["freematch", "FreeMatch's threshold", { kind: "freematch" }],
];
const STUDENTS = [
  ["encoder", "MiniLM, its top layers", {}],
  ["full", "MiniLM, all layers", { kind: "encoder", trainable: "all" }],
  ["static", "Static vectors: tens of times faster", { kind: "static" }],
  ["choice", "Train both, keep the better", { kind: "choice", candidates: [{ kind: "static" }, { kind: "encoder" }] }],
];

export function settings({ datasets, dataset, changed }) {
  const number = (pointer, props) => h("input", { type: "number", inputmode: "decimal", oninput: changed, "data-pointer": pointer, ...props });
  const pick = (pointer, options) => select(options.map(([key, text]) => [key, text]), { onchange: changed, "data-pointer": pointer });
  const name = h("input", { oninput: changed, maxlength: "100", "data-pointer": "/name" });
  const instruction = h("input", { oninput: changed, placeholder: "Route the support ticket.", "data-pointer": "/instruction" });
  const evaluation = select([["", "gold rows of the texts, if there are any"], ...datasets.filter((one) => one.statistics.gold).map((one) => [one.id, one.name])], {
    onchange: changed,
    "data-pointer": "/evaluation/dataset_id",
  });
  const selection = pick("/selection", SELECTIONS);
  const student = pick("/student", STUDENTS);
  const target = number("/student/target/p95_ms", { min: "0", step: "any", placeholder: "any" });
  const targetField = field("Fast enough: 95 % within, ms", target, "One text a call on one thread.");
  const usd = number("/budget/max_usd", { min: "0", step: "any", placeholder: "none" });
  const calls = number("/budget/max_teacher_calls", { min: "1", step: "1", placeholder: "none" });
  const hours = number("/budget/max_wall_seconds", { min: "0.01", step: "any", placeholder: "24" });
  const rows = number("/certification/rows", { min: "100", max: "20000", step: "1", placeholder: "none" });
  const seed = number("/training/seed", { min: "0", step: "1", placeholder: "42" });
  const epochs = number("/training/epochs", { min: "1", step: "1", placeholder: "as needed" });
  const extra = h("textarea.mono", { rows: "3", spellcheck: "false", oninput: changed, placeholder: '{"calibration": "none"}', "data-pointer": "" });
  const measured = h("p.hint");
  let isNamed = false;
  name.addEventListener("input", () => (isNamed = name.value.trim() !== ""));

  const value = () => {
    const body = {};
    if (name.value.trim()) body.name = name.value.trim();
    if (instruction.value.trim()) body.instruction = instruction.value.trim();
    if (evaluation.value) body.evaluation = { dataset_id: evaluation.value };
    put(body, "selection", SELECTIONS.find(([key]) => key === selection.value)[2]);
    put(body, "student", withTarget(STUDENTS.find(([key]) => key === student.value)[2], target.value));
    put(body, "training", numbers({ seed: seed.value, epochs: epochs.value }));
    put(body, "budget", {
      ...numbers({ max_usd: usd.value, max_teacher_calls: calls.value }),
      ...(hours.value ? { max_wall_seconds: Math.max(1, Math.round(Number(hours.value) * 3600)) } : {}),
    });
    put(body, "certification", numbers({ rows: rows.value }));
    return body;
  };

  return {
    element: h(
      "section.panel",
      { "aria-labelledby": "rest" },
      h("h2#rest", "4 · The rest has sound defaults"),
      h("div.fields", field("Name of the model", name), field("What measures", evaluation), field("Most money, US dollars", usd)),
      measured,
      h(
        "details",
        h("summary", "Selection, student, budget, certificate"),
        h(
          "div.stack",
          h("div.fields", field("Selection", selection, "Which answers are worth a gradient step."), field("Student", student), targetField),
          h("div.fields", field("Most texts put to the teacher", calls), field("Longest time, hours", hours), field("Texts kept for a certificate", rows, "100 or more; they say how often student and teacher agree.")),
          h("div.fields", field("Passes over the texts", epochs), field("Seed", seed), field("Instruction to the teacher", instruction)),
          field("Anything else, as JSON", extra, "Merged into what is sent; /docs lists every field."),
        ),
      ),
    ),
    value,
    extra: () => readObject(extra.value) ?? {},
    missing: () => (extra.value.trim() && !readObject(extra.value) ? ["write the other fields as a JSON object"] : []),
    follow: () => {
      const told = dataset();
      if (!isNamed) name.value = modelName(told.name);
      const gold = told.statistics.gold;
      const amount = gold ? Object.values(gold).reduce((sum, one) => sum + one, 0) : 0;
      measured.textContent = amount
        ? `${plural(amount, "gold row")} of the texts: up to a fifth of all texts measure and are not trained on.`
        : "The texts have no gold labels: without a dataset that has some, agreement with the teacher is all that is measured.";
    },
  };
}

function put(body, key, value) {
  if (Object.keys(value).length) body[key] = value;
}

function numbers(entries) {
  return Object.fromEntries(Object.entries(entries).filter(([, text]) => text !== "").map(([key, text]) => [key, Number(text)]));
}

function withTarget(student, ms) {
  return student.kind === "choice" && ms ? { ...student, target: { p95_ms: Number(ms) } } : student;
}

function readObject(text) {
  try {
    const value = JSON.parse(text);
    return value && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** A model's name from a dataset's: what the API takes without a second look. */
export function modelName(text) {
  return text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 60) || "model";
}
