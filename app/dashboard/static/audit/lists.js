// The four lists of an audit, each with what to do about its entries.

import { h } from "../dom.js";
import { count, percent } from "../format.js";
import { table } from "../parts.js";
import { factsOf, judged } from "./judged.js";

/** [[key, title, how many, build()], ...]; `narrow(labels)` shows the doubtful texts of these. */
export function lists(audit, { labels, held, narrow }) {
  const { totals } = audit;
  return [
    [
      "likely_wrong",
      "Likely wrong",
      totals.likely_wrong,
      (only) => likelyWrong(audit, { labels, held, only }),
    ],
    [
      "contradictions",
      "Contradictions",
      totals.contradictions,
      () => contradictions(audit, { labels, held }),
    ],
    [
      "overlapping_labels",
      "Labels that overlap",
      totals.overlapping_labels,
      () => overlaps(audit, { narrow }),
    ],
    ["unfitting", "No label fits", totals.unfitting, () => unfitting(audit, { labels, held })],
  ];
}

function likelyWrong({ likely_wrong: all, totals }, { labels, held, only }) {
  const shown = only
    ? all.filter((entry) => only.includes(entry.label) && only.includes(entry.suggested))
    : all;
  return [
    h(
      "p.muted",
      "Pseudo-labels with a likelier one beside them, the most doubtful first. Nobody knows that they are wrong: look at the text.",
    ),
    only
      ? h("p", `Only those between ${only.join(" and ")}.`)
      : listed(all.length, totals.likely_wrong),
    items(
      shown.map((entry) =>
        judged(entry, { suggested: entry.suggested, facts: factsOf(entry), labels, held }),
      ),
    ),
  ];
}

function contradictions({ contradictions: all, totals }, { labels, held }) {
  return [
    h(
      "p.muted",
      "Two texts that say almost the same, under different labels. The first of a pair is the more doubtful one.",
    ),
    listed(all.length, totals.contradictions),
    items(
      all.map(({ first, second, similarity }) =>
        h(
          "div.stack",
          h("p.muted", `${percent(similarity, 0)} alike`),
          h(
            "div.pair",
            judged(first, { suggested: second.label, labels, held }),
            judged(second, { suggested: first.label, labels, held }),
          ),
        ),
      ),
    ),
  ];
}

function overlaps({ overlapping_labels: all, totals }, { narrow }) {
  return [
    h(
      "p.muted",
      "Labels that the student takes for each other. Sharper descriptions in the next job tell them apart, or one label is enough.",
    ),
    listed(all.length, totals.overlapping_labels),
    all.length
      ? table(
          [
            ["Labels", (row) => row.labels.join(" and ")],
            ["Texts", (row) => count(row.texts), "num"],
            ["Of all with either", (row) => percent(row.share), "num"],
            [
              "",
              (row) =>
                h(
                  "button.small",
                  { type: "button", onclick: () => narrow(row.labels) },
                  "Doubtful texts of these",
                ),
            ],
          ],
          all,
          { caption: "Pairs of labels that overlap" },
        )
      : nothing(),
  ];
}

function unfitting({ unfitting: all, totals }, { labels, held }) {
  return [
    h(
      "p.muted",
      "Texts of which neither teacher nor student is sure of any label. Many of them may mean that a label is missing.",
    ),
    listed(all.length, totals.unfitting),
    items(all.map((entry) => judged(entry, { facts: factsOf(entry), labels, held }))),
  ];
}

const listed = (shown, total) =>
  shown < total ? h("p.muted", `The first ${count(shown)} of ${count(total)}.`) : null;

const nothing = () => h("p", "Nothing of this kind.");

function items(elements) {
  return elements.length
    ? h(
        "ol.judged-list",
        elements.map((each) => h("li", each)),
      )
    : nothing();
}
