// What the jobs show that make no model: a pilot's forecast, a report card, predictions.

import { draw } from "../charts.js";
import { download, get, part } from "../api.js";
import { fill, h } from "../dom.js";
import { count, money, percent } from "../format.js";
import { during, figures, table } from "../parts.js";
import { points, withInterval } from "../report/wording.js";
import { lazily } from "./lazy.js";

const READERS = { pilot: readPilot, report_card: readCard, predict: readPredictions };

/** {element, update} for a purpose, or null for one that has no result of its own here. */
export function otherKind(purpose, { signal }) {
  const read = READERS[purpose];
  if (!read) return null;
  const element = h("section.panel", h("p.muted", "The result comes once the job is done."));
  let shown = null;
  const update = async (job) => {
    const now = `${job.state} ${Math.floor(job.progress.percent)}`;
    if (now === shown || job.state === "failed") return;
    shown = now;
    const children = await read(job, { signal }).catch((error) => {
      if (signal.aborted) return null;
      return h("p.muted", error.message);
    });
    // An answer that was overtaken by a newer one must not take its place.
    if (children && now === shown && !signal.aborted) fill(element, children);
  };
  return { element, update };
}

async function readPilot(job, { signal }) {
  if (job.state !== "succeeded") return null;
  // Never by asking the question again: where its pilot is not the newest, or things have
  // changed since, that would start another and buy answers.
  const forecast = await get(`/jobs/${part(job.id)}/forecast`, { signal });
  const chart = h("div.chart");
  const drawIt = () =>
    draw(
      chart,
      (colors) => forecastTraces(forecast, colors),
      {
        xaxis: { title: { text: "answers of the teacher" }, type: "log" },
        yaxis: { title: { text: "macro-F1" } },
      },
      { text: "Forecast of macro-F1 by the number of answers" },
    );
  // Its width is known only once it stands in the page.
  lazily(chart, drawIt, { signal }).invalidate();
  return [
    h("h2", "What more answers would bring"),
    h(
      "p",
      forecast.against === "gold"
        ? "Macro-F1 against gold"
        : "Agreement with the teacher (macro-F1), for want of gold",
      `, measured on ${count(forecast.measured_on)} texts, with 95 % intervals.`,
    ),
    chart,
    table(
      [
        ["Answers", (point) => count(point.answers), "num"],
        ["Macro-F1", (point) => withInterval(point), "num"],
      ],
      forecast.points,
      { caption: "The forecast" },
    ),
  ];
}

function forecastTraces({ points: all }, colors) {
  return [
    {
      type: "scatter",
      mode: "lines+markers",
      x: all.map((point) => point.answers),
      y: all.map((point) => 100 * point.value),
      error_y: {
        type: "data",
        symmetric: false,
        array: all.map((point) => 100 * (point.high - point.value)),
        arrayminus: all.map((point) => 100 * (point.value - point.low)),
        color: colors.muted,
        thickness: 1.5,
      },
      line: { color: colors.accent },
      hovertemplate: "%{x} answers: %{y:.1f}<extra></extra>",
    },
  ];
}

async function readCard(job, { signal }) {
  if (job.state !== "succeeded") return null;
  const query = { ids: job.id };
  const { data } = await get("/teachers/report-cards", { query, signal });
  const { card, model, labels } = data[0];
  if (!card) return null;
  const { gold, consistency } = card;
  return [
    h("h2", `How good ${model} is here`),
    figures([
      gold && [
        "Accuracy",
        points(gold.accuracy.value),
        `${withInterval(gold.accuracy)} on ${count(gold.rows)} texts`,
      ],
      gold && ["Macro-F1", points(gold.macro_f1.value), withInterval(gold.macro_f1)],
      consistency && [
        "Same answer",
        points(consistency.same.value),
        "with the labels in another order",
      ],
      ["Texts", count(card.texts), `${count(card.answers.answered)} answered`],
      [
        "Money",
        money(card.usd),
        card.usd_per_row === null ? null : `${money(card.usd_per_row)} a text`,
      ],
    ]),
    gold
      ? table(
          [
            ["Label", (row) => row.label],
            ["Texts", (row) => count(row.support), "num"],
            ["F1", (row) => (row.f1 === null ? "–" : points(row.f1)), "num"],
          ],
          gold.per_label,
          { caption: `F1 of each of ${labels.length} labels` },
        )
      : h("p.muted", "No text has gold, so nobody knows how often it is right."),
  ];
}

async function readPredictions(job, { signal }) {
  const told = await get(`/predictions/${job.id}`, { signal });
  const { counts, progress } = told;
  const trouble = h("div");
  const keep = (format) => {
    const button = h("button", { type: "button" }, `Download ${format.toUpperCase()}`);
    const path = `/predictions/${job.id}/output`;
    button.addEventListener("click", () =>
      during(
        button,
        "Fetching",
        () => download(path, `${told.name}.${format}`, { query: { format } }),
        trouble,
      ),
    );
    return button;
  };
  return [
    h("h2", "Predictions"),
    figures([
      ["Answered", count(progress.rows_done), `of ${count(progress.rows)}`],
      counts && [
        "With a label",
        count(counts.predicted),
        percent(counts.predicted / Math.max(1, progress.rows)),
      ],
      counts && ["Abstained", count(counts.abstained)],
      counts && ["Cut short", count(counts.truncated)],
    ]),
    counts
      ? table(
          [
            ["Label", (row) => row.label],
            ["Texts", (row) => count(row.rows), "num"],
          ],
          counts.labels,
          { caption: "Texts by label" },
        )
      : null,
    job.state === "succeeded" ? h("div.actions", ["csv", "jsonl", "parquet"].map(keep)) : null,
    trouble,
  ];
}
