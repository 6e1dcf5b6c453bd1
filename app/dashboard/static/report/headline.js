// The top of a report: who was right how often, with whom it compares, and how sure that is.

import { h } from "../dom.js";
import { count, duration, percent } from "../format.js";
import { figures, table } from "../parts.js";
import { figure } from "./figure.js";
import { explanation, headline, points, withInterval } from "./wording.js";

export function headlineSection(told) {
  const { report } = told;
  const own = report.student.evaluation;
  const taught = report.teacher.evaluation;
  const held = report.student.held_out_agreement;
  return h(
    "section.panel.report-head",
    h("p.headline", headline(report)),
    explanation(report).map((sentence) => h("p", sentence)),
    figures([
      own && ["Student, macro-F1", points(own.macro_f1.value), interval(own.macro_f1)],
      taught && ["Teacher, macro-F1", points(taught.macro_f1.value), interval(taught.macro_f1)],
      own && ["Texts with gold", count(report.gold_rows), sources[report.gold_source]],
      !own && held && ["Agreement, held out", percent(held.value), `${count(held.rows)} texts`],
      [
        "Texts learned from",
        count(report.training.unique_samples),
        `of ${count(report.training.pool)}`,
      ],
      ["Training", duration(report.training.seconds), `${count(report.training.steps)} steps`],
    ]),
  );
}

const sources = { evaluation_dataset: "of another dataset", dataset: "kept from training" };
const interval = ({ low, high }) => `95 %: ${points(low)}–${points(high)}`;

/** Teacher, this student, and the other students of the same answers. */
export function comparisonSection(told) {
  const rows = contestants(told);
  if (!rows.length) return null;
  return h(
    "section.panel",
    h("h2", "Teacher, student, and all labels"),
    h(
      "p.muted",
      "All learned from the same answers, but for labels that a person corrected. Lines are 95 % " +
        "intervals over the texts that measure; a difference is that of the same texts, and says " +
        "more than two intervals that meet.",
    ),
    figure("Macro-F1, with 95 % intervals.", {
      height: 90 + 38 * rows.length,
      text: rows.map((row) => `${row.name}: ${withInterval(row.macro_f1)}`).join("; "),
      traces: (colors) => [intervalTrace(rows, colors)],
      layout: {
        xaxis: { title: { text: "macro-F1" }, rangemode: "tozero" },
        yaxis: { autorange: "reversed" },
        margin: { l: 120, r: 16, t: 8, b: 44 },
      },
    }),
    table(
      [
        ["", (row) => row.name],
        ["Accuracy", (row) => withInterval(row.accuracy), "num"],
        ["Macro-F1", (row) => withInterval(row.macro_f1), "num"],
        ["Against this student", (row) => signed(row.difference?.macro_f1), "num"],
        ["Different texts", (row) => count(row.unique), "num"],
        ["Gradient samples", (row) => count(row.gradient), "num"],
        ["Training", (row) => duration(row.seconds), "num"],
      ],
      rows,
      { caption: "Teacher and students", rowClass: (row) => (row.isThis ? "is-this" : null) },
    ),
  );
}

function intervalTrace(rows, colors) {
  return {
    type: "scatter",
    mode: "markers",
    x: rows.map((row) => 100 * row.macro_f1.value),
    y: rows.map((row) => row.name),
    error_x: {
      type: "data",
      symmetric: false,
      array: rows.map((row) => 100 * (row.macro_f1.high - row.macro_f1.value)),
      arrayminus: rows.map((row) => 100 * (row.macro_f1.value - row.macro_f1.low)),
      color: colors.muted,
      thickness: 1.5,
    },
    marker: {
      size: 11,
      color: rows.map((row, at) => (row.isThis ? colors.accent : colors.series[at ? 2 : 1])),
    },
    hovertemplate: "%{y}: %{x:.1f}<extra></extra>",
  };
}

function contestants({ report, compared }) {
  const taught = report.teacher.evaluation;
  const teacher = taught && {
    name: "Teacher",
    ...taught,
    difference: null,
    unique: null,
    gradient: null,
    seconds: null,
  };
  const students = compared
    .filter((each) => each.report.student.evaluation)
    .map((each) => ({
      name: each.isThis ? "This student" : nameOf(each),
      isThis: each.isThis,
      ...each.report.student.evaluation,
      difference: each.difference,
      unique: each.report.training.unique_samples,
      gradient: each.report.training.gradient_samples,
      seconds: each.report.training.seconds,
    }));
  return [teacher, ...students].filter(Boolean).map(numbered);
}

/** A chart has one line a name: of two with the same one, the later is numbered. */
function numbered(row, at, rows) {
  const earlier = rows.slice(0, at).filter((each) => each.name === row.name).length;
  return earlier ? { ...row, name: `${row.name}, ${earlier + 1}` } : row;
}

function signed(difference) {
  if (!difference) return "–";
  const told = (value) => (value < 0 ? `−${points(-value)}` : `+${points(value)}`);
  return `${told(difference.value)} (${told(difference.low)} to ${told(difference.high)})`;
}

function nameOf({ selection, name, report }) {
  if (report.corrections?.rows) return `Corrected by hand (${name})`;
  return selection.kind === "all" ? `All labels (${name})` : `${selection.kind} (${name})`;
}
