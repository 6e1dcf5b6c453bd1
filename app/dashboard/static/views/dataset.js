// One dataset: what was counted, its first texts, and what was set aside and why.

import { get, part, remove } from "../api.js";
import { fill, h, setStyle } from "../dom.js";
import { bytes, count, decimal, moment, percent, plural, score } from "../format.js";
import { paged } from "../pages.js";
import { confirmDialog, figures, problem, table, waiting } from "../parts.js";
import { go } from "../router.js";

const SHOWN_LABELS = 12;

export async function render(main, { id }, { signal }) {
  fill(main, h("h1", "Dataset"), waiting("Loading the dataset"));
  const told = await get(`/datasets/${part(id)}`, { signal });
  const texts = h("div");
  const issues = h("div");
  const stats = told.statistics;
  fill(main, head(told, { signal }), counted(told), stats.gold ? goldPanel(stats) : null);
  main.append(h("section.panel", { "aria-labelledby": "texts" }, h("h2#texts", "Texts"), texts));
  const path = `/datasets/${part(id)}`;
  const waits = [
    paged(texts, {
      what: "Loading the texts",
      fetchPage: (after) => get(`${path}/rows`, { query: { limit: 20, after }, signal }),
      render: (rows) => table(textColumns(told), rows, { caption: "Texts" }),
      none: h("p.muted", "It holds no text."),
      signal,
    }),
  ];
  if (stats.set_aside || Object.keys(stats.values_dropped_by_code).length || stats.answers?.set_aside) {
    main.append(h("section.panel", { "aria-labelledby": "aside" }, h("h2#aside", "Set aside"), reasons(stats), issues));
    waits.push(
      paged(issues, {
        what: "Loading what was set aside",
        fetchPage: (after) => get(`${path}/issues`, { query: { limit: 20, after }, signal }),
        render: (rows) => table(ISSUE_COLUMNS, rows, { caption: "Rows and values set aside" }),
        none: h("p.muted", "Nothing is listed."),
        signal,
      }),
    );
  }
  await Promise.all(waits);
}

const ISSUE_COLUMNS = [
  ["Line", (one) => count(one.line), "num"],
  ["Column", (one) => one.column ?? h("span.muted", "whole row")],
  ["Reason", (one) => one.message, "text"],
  ["Code", (one) => h("code", one.code)],
];

function head(told, { signal }) {
  const result = h("div");
  const erase = async () => {
    const text = `${told.name} and its ${plural(told.statistics.unique, "text")} are erased. Models made from it stay.`;
    if (!(await confirmDialog("Delete this dataset?", text))) return;
    try {
      await remove(`/datasets/${part(told.id)}`);
      if (!signal.aborted) go("data");
    } catch (error) {
      fill(result, problem(error));
    }
  };
  return [
    h(
      "div.head",
      h("div", h("p.crumbs", h("a", { href: "#/data" }, "Data")), h("h1", told.name), h("p.muted.small", h("code", told.id), ` · added ${moment(told.created_at)}`)),
      h(
        "div.row",
        h("a.button.primary", { href: `#/new?dataset=${encodeURIComponent(told.id)}` }, "New job from it"),
        h("button.danger", { type: "button", onclick: erase }, "Delete"),
      ),
    ),
    result,
  ];
}

function counted({ statistics: stats, columns, size_bytes: size }) {
  const length = stats.characters;
  const ignored = columns.ignored.length ? ` Columns not read: ${columns.ignored.join(", ")}.` : "";
  return h(
    "section.panel",
    { "aria-label": "What was counted" },
    figures([
      ["Rows", count(stats.rows)],
      ["Different texts", count(stats.unique)],
      ["Copies", count(stats.duplicates)],
      ["Set aside", count(stats.set_aside)],
      ["Teacher's answers", count(stats.teacher_answers)],
      ["Median length", count(length.median), "characters"],
      ["95 % are below", count(length.p95), `longest ${count(length.max)}`],
      ["File", bytes(size)],
    ]),
    h("p.hint", `Texts come from the column “${columns.text}”${columns.label ? `, gold labels from “${columns.label}”` : ""}.${ignored}`),
    stats.gold_conflicts ? h("p.hint.warn-text", `${plural(stats.gold_conflicts, "text")} had copies with different gold labels; the first one counts.`) : null,
  );
}

function goldPanel({ gold }) {
  const all = Object.entries(gold).sort((one, other) => other[1] - one[1]);
  const total = all.reduce((sum, [, amount]) => sum + amount, 0);
  const most = all[0]?.[1] ?? 1;
  const columns = [
    ["Label", ([label]) => label],
    ["Texts", ([, amount]) => count(amount), "num"],
    ["Share", ([, amount]) => percent(amount / total), "num"],
    ["", ([, amount]) => meter(amount / most), "bar-cell"],
  ];
  const more = all.length > SHOWN_LABELS ? h("p.hint", `And ${count(all.length - SHOWN_LABELS)} rarer labels.`) : null;
  return h(
    "section.panel",
    { "aria-labelledby": "gold" },
    h("h2#gold", `Gold labels of ${plural(total, "text")}`),
    table(columns, all.slice(0, SHOWN_LABELS), { caption: "Gold labels" }),
    more,
  );
}

function meter(share) {
  const bar = h("i");
  setStyle(bar, { width: `${Math.max(1, share * 100)}%` });
  return h("div.meter", { "aria-hidden": "true" }, bar);
}

function textColumns({ statistics: stats }) {
  const answers = stats.teacher_answers > 0;
  return [
    ["#", (one) => count(one.index), "num"],
    ["Text", (one) => shortened(one.text), "text"],
    stats.gold && ["Gold", (one) => one.gold ?? "–"],
    answers && ["Teacher", (one) => one.teacher_label ?? "–"],
    answers && ["Confidence", (one) => score(one.teacher_confidence), "num"],
    stats.duplicates && ["Copies", (one) => decimal(one.copies), "num"],
  ].filter(Boolean);
}

/** A long text folds: a page of novels would still be a page. */
function shortened(text) {
  if (text.length <= 400) return text;
  return h("details.inline", h("summary", `${text.slice(0, 300)}… (${count(text.length)} characters)`), text);
}

function reasons(stats) {
  const codes = Object.entries({ ...stats.set_aside_by_code, ...stats.values_dropped_by_code, ...stats.answers?.set_aside_by_code });
  return h("p.row", codes.map(([code, amount]) => h("span.badge.is-warn", `${count(amount)} × ${code}`)));
}
