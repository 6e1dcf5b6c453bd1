// Which label is taken for which: gold in rows, answers in columns.

import { colors } from "../charts.js";
import { h } from "../dom.js";
import { count, percent } from "../format.js";
import { table } from "../parts.js";

// Wider ones are a picture and a list: nobody reads ten thousand cells.
const MOST_CELLS_A_SIDE = 24;
const WORST = 20;

export function confusionSection({ report }) {
  const own = report.student.evaluation;
  if (!own) return null;
  const taught = report.teacher.evaluation;
  const labels = own.per_class.map((each) => each.label);
  return h(
    "section.panel",
    h("h2", "Which label is taken for which"),
    h("p.muted", "Rows are gold, columns are answers; on the diagonal the two are the same."),
    h(
      "div.pair",
      matrix("Student", own.confusion, labels),
      taught ? matrix("Teacher", taught.confusion, labels) : null,
    ),
  );
}

function matrix(who, counts, labels) {
  return h(
    "div.matrix-box",
    h("h3", who),
    labels.length > MOST_CELLS_A_SIDE ? picture(who, counts, labels) : grid(who, counts, labels),
  );
}

function grid(who, counts, labels) {
  return h(
    "div.scroll",
    { tabindex: "0", role: "region", "aria-label": `${who}: gold against answers` },
    h(
      "table.matrix",
      h("caption.unseen", `${who}: gold in rows, answers in columns`),
      h(
        "thead",
        h(
          "tr",
          h("td"),
          labels.map((label) => h("th.turned", { scope: "col" }, h("span", label))),
        ),
      ),
      h(
        "tbody",
        counts.map((row, gold) => {
          const sum = sumOf(row);
          return h(
            "tr",
            h("th", { scope: "row" }, labels[gold]),
            row.map((value, at) => cell(value, { sum, isRight: at === gold })),
          );
        }),
      ),
    ),
  );
}

function cell(value, { sum, isRight }) {
  const share = sum ? value / sum : 0;
  const heat = (0.85 * share).toFixed(3);
  return h(
    "td",
    { class: isRight ? "is-right" : null, style: { "--heat": heat } },
    value ? count(value) : h("span.muted", "·"),
  );
}

/** Of many labels, the shares as pixels and the pairs that are mixed up most often in words. */
function picture(who, counts, labels) {
  const pairs = counts
    .flatMap((row, gold) => {
      const sum = sumOf(row);
      return row.map((value, at) => ({ gold, at, value, sum }));
    })
    .filter(({ gold, at, value }) => gold !== at && value > 0)
    .sort((one, other) => other.value - one.value)
    .slice(0, WORST);
  return [
    h("img.matrix-picture", {
      src: pixels(counts),
      alt: `${who}: a heat map of ${labels.length} gold labels against answers`,
    }),
    table(
      [
        ["Gold", (pair) => labels[pair.gold]],
        ["Answered", (pair) => labels[pair.at]],
        ["Texts", (pair) => count(pair.value), "num"],
        ["Of its texts", (pair) => percent(pair.value / pair.sum, 0), "num"],
      ],
      pairs,
      { caption: `${who}: the labels that are mixed up most often` },
    ),
  ];
}

const sumOf = (row) => row.reduce((total, each) => total + each, 0);

/** A picture with a pixel a cell, as a data URL: a file holds it as the page does. */
function pixels(counts) {
  const canvas = h("canvas", { width: counts.length, height: counts.length });
  const pen = canvas.getContext("2d");
  const { accent, bad } = colors();
  counts.forEach((row, gold) => {
    const sum = sumOf(row);
    row.forEach((value, at) => {
      pen.globalAlpha = 0.06 + (sum ? (0.94 * value) / sum : 0);
      pen.fillStyle = gold === at ? accent : bad;
      pen.fillRect(at, gold, 1, 1);
    });
  });
  return canvas.toDataURL();
}
