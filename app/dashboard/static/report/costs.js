// What answering costs with each of the two, and when the student may answer alone.

import { h } from "../dom.js";
import { bytes, count, decimal, duration, money, percent } from "../format.js";
import { figures, table } from "../parts.js";
import { figure } from "./figure.js";

export function costSection({ report, job }) {
  const { cost } = report;
  const serving = report.candidates?.find((each) => each.chosen)?.serving;
  return h(
    "section.panel",
    h("h2", "What it costs"),
    figures([
      ["This job's teacher", money(job.usage.cost_usd), `${count(job.usage.teacher_calls)} calls`],
      report.export && ["The model's size", bytes(report.export.size_bytes)],
      serving && [
        "One text, one core",
        `${decimal(serving.p50_ms)} ms`,
        `95 % within ${decimal(serving.p95_ms)} ms`,
      ],
    ]),
    cost ? millionTable(cost) : null,
  );
}

function millionTable({ texts, teacher, student }) {
  const rows = [
    ["Teacher", teacher.usd, teacher.seconds, teacherNote(teacher)],
    ["Student", null, student.core_seconds, studentNote(student)],
  ];
  return [
    h("h3", `${count(texts)} texts like these`),
    table(
      [
        ["", (row) => row[0]],
        ["Money", (row) => (row[0] === "Student" ? "your own machine" : money(row[1])), "num"],
        ["Time", (row) => duration(row[2]), "num"],
        ["As measured", (row) => row[3], "text"],
      ],
      rows,
      { caption: "What a million texts cost with each" },
    ),
    h("p.muted", faster(teacher, student)),
  ];
}

function teacherNote({ answers, usd, seconds }) {
  if (usd === null && seconds === null) return "nothing was measured";
  return `by the clock, over ${count(answers)} answers`;
}

function studentNote({ basis, engine, processor }) {
  if (basis === null) return "nothing was measured";
  const how = basis === "engine" ? `in batches by ${engine}` : "one text a call, with tokenizing";
  return `one core, ${how}${processor ? `, ${processor}` : ""}`;
}

function faster(teacher, student) {
  if (!teacher.seconds || !student.core_seconds) return null;
  const times = teacher.seconds / student.core_seconds;
  const told = times >= 10 ? count(times) : times.toFixed(1);
  return `The teacher took ${told} times as long as the student on one core; they were measured in different ways, so take it as an order of magnitude.`;
}

const MEANINGS = { teacher: "the teacher answers the rest", nobody: "nobody answers the rest" };

/** Up to which share the student may answer alone, at which agreement. */
export function cascadeSection({ report: { cascade } }) {
  if (!cascade) return null;
  if (!cascade.curve.some((each) => each.certified)) return nothingCertified(cascade);
  const kinds = Object.keys(MEANINGS).filter((kind) =>
    cascade.curve.some((each) => each.below === kind),
  );
  return h(
    "section.panel",
    h("h2", "When the student may answer in its teacher's place"),
    h(
      "p",
      `Certified on ${count(cascade.rows)} texts: with a risk of ` +
        `${percent(cascade.curve[0]?.delta ?? 0.05, 0)}, agreement with the teacher is not below ` +
        "the target on texts drawn like these. It says nothing of other texts, nor of being right.",
    ),
    figure("How much the student answers, by the agreement that is promised.", {
      height: 280,
      text: "The share of texts that the student answers falls as the promise grows",
      traces: (colors) =>
        kinds.map((kind, at) => ({
          type: "scatter",
          mode: "lines+markers",
          name: MEANINGS[kind],
          showlegend: true,
          x: cascade.curve.filter((each) => each.below === kind).map((each) => 100 * each.target),
          y: cascade.curve.filter((each) => each.below === kind).map((each) => 100 * each.coverage),
          line: { color: at ? colors.series[1] : colors.accent, dash: at ? "dash" : "solid" },
          marker: { size: 8, symbol: at ? "square" : "circle" },
          hovertemplate: "agreement %{x:.1f} %: answers %{y:.0f} %<extra></extra>",
        })),
      layout: {
        xaxis: { title: { text: "promised agreement, %" } },
        yaxis: { title: { text: "answered by the student, %" }, range: [-3, 103] },
        margin: { l: 56, r: 16, t: 30, b: 48 },
      },
    }),
    table(
      [
        ["Below the threshold", (each) => MEANINGS[each.below]],
        ["Promised", (each) => percent(each.target), "num"],
        ["Student answers", (each) => (each.certified ? percent(each.coverage) : "nothing"), "num"],
        ["Agreement seen", (each) => percent(each.agreement), "num"],
        ["At least", (each) => percent(each.bound), "num"],
      ],
      cascade.curve,
      { caption: "Certified targets" },
    ),
  );
}

function nothingCertified({ rows, curve }) {
  const lowest = Math.min(...curve.map((each) => each.target));
  return h(
    "section.panel",
    h("h2", "When the student may answer in its teacher's place"),
    h(
      "p",
      `Never, as far as ${count(rows)} texts can tell: not even an agreement of ` +
        `${percent(lowest, 0)} can be promised. More texts to certify with, or a better student, may change that.`,
    ),
  );
}
