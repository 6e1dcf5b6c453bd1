// Label by label: how well each is found, and how far a confidence can be believed.

import { escaped } from "../charts.js";
import { h } from "../dom.js";
import { count } from "../format.js";
import { table } from "../parts.js";
import { figure } from "./figure.js";
import { points } from "./wording.js";

export function labelSection({ report }) {
  const own = report.student.evaluation;
  if (!own) return null;
  const taught = report.teacher.evaluation;
  const byLabel = new Map(taught?.per_class.map((each) => [each.label, each]));
  const rows = own.per_class.map((each) => ({ own: each, taught: byLabel.get(each.label) }));
  const figureOf = (value) => (value === null || value === undefined ? "–" : points(value));
  return h(
    "section.panel",
    h("h2", "Label by label"),
    figure("F1 of each label against gold.", {
      height: 70 + 24 * rows.length,
      text: rows.map((row) => `${row.own.label}: student ${figureOf(row.own.f1)}`).join("; "),
      traces: (colors) => dots(rows, colors, { withTeacher: Boolean(taught) }),
      layout: {
        xaxis: { title: { text: "F1" }, range: [-2, 102] },
        yaxis: { autorange: "reversed", type: "category", dtick: 1 },
        margin: { l: 120, r: 16, t: 30, b: 44 },
      },
    }),
    table(
      [
        ["Label", (row) => row.own.label],
        ["Texts", (row) => count(row.own.support), "num"],
        ["Student: precision", (row) => figureOf(row.own.precision), "num"],
        ["Recall", (row) => figureOf(row.own.recall), "num"],
        ["F1", (row) => figureOf(row.own.f1), "num"],
        ["Teacher: F1", (row) => figureOf(row.taught?.f1), "num"],
      ],
      rows,
      { caption: "Scores of each label" },
    ),
  );
}

function dots(rows, colors, { withTeacher }) {
  const trace = (name, scores, color, symbol) => ({
    type: "scatter",
    mode: "markers",
    name,
    x: scores.map((each) => (each?.f1 === null || each?.f1 === undefined ? null : 100 * each.f1)),
    y: rows.map((row) => escaped(row.own.label)),
    marker: { size: 10, color, symbol },
    hovertemplate: `${name}, %{y}: %{x:.1f}<extra></extra>`,
  });
  return [
    withTeacher &&
      trace(
        "Teacher",
        rows.map((row) => row.taught),
        colors.series[1],
        "diamond-open",
      ),
    trace(
      "Student",
      rows.map((row) => row.own),
      colors.accent,
      "circle",
    ),
  ].filter(Boolean);
}

/** How often an answer is right, by how sure its giver was. */
export function reliabilitySection({ report }) {
  const givers = [
    ["Teacher", report.teacher.evaluation?.calibration, 1],
    ["Student", report.student.evaluation?.calibration, 0],
  ].filter(([, told]) => told);
  if (!givers.length) return null;
  return h(
    "section.panel",
    h("h2", "How far their confidence can be believed"),
    h(
      "p.muted",
      "On the dotted line, a confidence of 80 means right in 80 of 100 cases; below it, the " +
        "confidence promises too much. Larger dots stand for more texts.",
    ),
    figure(
      givers
        .map(([who, told]) => `${who}: off by ${points(told.ece)} points on average (ECE).`)
        .join(" "),
      {
        height: 380,
        text: `Reliability of ${givers.map(([who]) => who.toLowerCase()).join(" and ")}`,
        traces: (colors) => [
          diagonal(colors),
          ...givers.map(([who, told, at]) =>
            reliability(who, told, at ? colors.series[1] : colors.accent),
          ),
        ],
        layout: {
          xaxis: { title: { text: "confidence" }, range: [-2, 103] },
          yaxis: { title: { text: "right, %" }, range: [-2, 103] },
          margin: { l: 56, r: 16, t: 30, b: 48 },
        },
      },
    ),
  );
}

const diagonal = (colors) => ({
  type: "scatter",
  mode: "lines",
  x: [0, 100],
  y: [0, 100],
  line: { color: colors.muted, dash: "dot", width: 1 },
  hoverinfo: "skip",
  showlegend: false,
});

function reliability(who, { bins, rows }, color) {
  const filled = bins.filter((bin) => bin.count);
  return {
    type: "scatter",
    mode: "lines+markers",
    name: who,
    x: filled.map((bin) => 100 * bin.confidence),
    y: filled.map((bin) => 100 * bin.accuracy),
    customdata: filled.map((bin) => bin.count),
    marker: { color, size: filled.map((bin) => 6 + 22 * Math.sqrt(bin.count / rows)) },
    line: { color, width: 1.5 },
    hovertemplate: `${who}: %{y:.0f} % right at %{x:.0f} (%{customdata} texts)<extra></extra>`,
  };
}
