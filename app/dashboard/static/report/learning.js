// What was learned from, and where teacher and student still differ.

import { h } from "../dom.js";
import { count, percent } from "../format.js";
import { table } from "../parts.js";
import { figure } from "./figure.js";

// So many are seen at once; the others open below, and the service has them all.
const SHOWN = 15;

/** Held-out score by what had been learned from, of this student and its relatives. */
export function efficiencySection({ report, compared }) {
  const curves = compared
    .map((each) => ({ ...each, curve: each.report.data_efficiency ?? [] }))
    .filter((each) => each.curve.length);
  if (!report.data_efficiency?.length) return null;
  const last = report.data_efficiency.at(-1);
  return h(
    "section.panel",
    h("h2", "What it took to get there"),
    h(
      "p.muted",
      "Macro-F1 on pseudo-labels that were kept from training, by how many different texts had " +
        "been learned from. This is agreement with confident answers of the teacher, not with gold.",
    ),
    figure(
      `${count(last.unique_samples)} different texts, ${count(last.gradient_samples)} gradient ` +
        `samples: ${percent(last.held_out_score)}.`,
      {
        height: 300,
        text: `Held-out macro-F1 rises to ${percent(last.held_out_score)}`,
        traces: (colors) => curves.map((each, at) => curve(each, colors, at)),
        layout: {
          xaxis: { title: { text: "different texts learned from" }, rangemode: "tozero" },
          yaxis: { title: { text: "held-out macro-F1" }, rangemode: "tozero" },
          margin: { l: 56, r: 16, t: 30, b: 48 },
        },
      },
    ),
  );
}

function curve({ name, selection, isThis, curve: looks }, colors, at) {
  const color = isThis ? colors.accent : colors.series[(at + 1) % colors.series.length];
  return {
    type: "scatter",
    mode: "lines+markers",
    name: isThis ? `This student (${selection.kind})` : `${selection.kind} (${name})`,
    showlegend: true,
    x: looks.map((look) => look.unique_samples),
    y: looks.map((look) => 100 * look.held_out_score),
    customdata: looks.map((look) => look.gradient_samples),
    line: { color, dash: isThis ? "solid" : "dash" },
    marker: { color, size: 7, symbol: isThis ? "circle" : "square-open" },
    hovertemplate: "%{y:.1f} after %{x} texts, %{customdata} samples<extra></extra>",
  };
}

const SOURCES = {
  gold: "the texts that measure",
  certification: "the texts that certify",
  held_out: "confident pseudo-labels kept from training, where the two differ less than elsewhere",
};

/** The texts that the two label differently, the surest first. */
export function disagreementSection({ report, disagreements }) {
  const told = report.disagreements;
  if (!told) return null;
  const rows = disagreements ?? [];
  const more = rows.slice(SHOWN);
  const hasGold = rows.some((row) => row.gold !== null);
  return h(
    "section.panel",
    h("h2", "Where they disagree"),
    h(
      "p",
      `On ${count(told.total)} of ${count(told.rows)} texts (${percent(told.rows ? told.total / told.rows : 0)}), `,
      `among ${SOURCES[told.source] ?? told.source}.`,
      hasGold ? ` ${whoIsRight(rows)}` : null,
    ),
    disagreements === null ? h("p.muted", "The dataset was deleted, and the texts with it.") : null,
    rows.length ? disagreementTable(rows.slice(0, SHOWN), { hasGold }) : null,
    more.length
      ? h(
          "details",
          h("summary", `${count(more.length)} more`),
          disagreementTable(more, { hasGold }),
        )
      : null,
    rows.length < told.total && rows.length
      ? h("p.muted", `The first ${count(rows.length)}, by how sure both were.`)
      : null,
  );
}

function whoIsRight(rows) {
  const known = rows.filter((row) => row.gold !== null);
  const right = (of) => known.filter((row) => row[of] === row.gold).length;
  const [taught, own] = [right("teacher_label"), right("student_label")];
  return (
    `Of the first ${count(known.length)}, the teacher is right on ${count(taught)}, the student ` +
    `on ${count(own)}, neither on ${count(known.length - taught - own)}.`
  );
}

function disagreementTable(rows, { hasGold }) {
  const said = (label, sure, gold) => [
    h("span", { class: gold === label ? "is-right" : null }, label, gold === label ? " ✓" : null),
    sure === null ? null : h("span.muted.nowrap", ` ${percent(sure, 0)}`),
  ];
  return table(
    [
      ["Text", (row) => row.text, "text"],
      ["Teacher", (row) => said(row.teacher_label, row.teacher_confidence, row.gold)],
      ["Student", (row) => said(row.student_label, row.student_score, row.gold)],
      ...(hasGold ? [["Gold", (row) => row.gold ?? "–"]] : []),
    ],
    rows,
    { caption: "Texts that teacher and student label differently" },
  );
}
