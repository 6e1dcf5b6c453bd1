// Whether what a model answers now looks like what it answered when it was certified.

import { get, part } from "../api.js";
import { append, h, setStyle } from "../dom.js";
import { count, decimal, percent, plural } from "../format.js";
import { load, table } from "../parts.js";

const READINGS = {
  stable: ["good", "stable"],
  some_shift: ["warn", "some shift"],
  large_shift: ["bad", "large shift"],
};
const NOTHING = {
  not_loaded: "The server has not this model in memory: it counts from the first prediction on.",
  not_certified: "The model has no certification texts, so there is nothing to compare its answers with.",
};

export function driftPanel({ signal }) {
  const place = h("div");
  const refresh = h("button.small", { type: "button" }, "Look again");
  let models = [];
  let asking = new AbortController();
  const read = async (mine) => {
    const asked = models;
    const told = await Promise.all(asked.map((one) => get(`/models/${part(one.id)}/drift`, { signal: mine })));
    return h("div.columns", told.map((drift, at) => driftOf(asked[at], drift)));
  };
  const show = () => {
    // A late answer, or a late failure, must not take the place of a newer one.
    asking.abort();
    asking = new AbortController();
    const mine = AbortSignal.any([asking.signal, signal]);
    return load(place, "Reading the drift figures", () => read(mine), { signal: mine });
  };
  refresh.addEventListener("click", show);
  return {
    element: append(
      h("section.panel", { "aria-labelledby": "drift" }),
      h("header", h("h2#drift", "Drift"), refresh),
      place,
      h("p.hint", "Population stability indexes of the newest answers of this server process against those to the certification texts. A shift says that the texts are others, not that the answers are worse."),
    ),
    follow(chosen) {
      models = chosen;
      show();
    },
  };
}

function driftOf(model, drift) {
  const title = h("h3", `${model.name} · version ${model.version}`);
  if (drift.why_none) return h("div.stack.tight", title, h("p.muted", NOTHING[drift.why_none] ?? "There is nothing to tell."));
  const shares = drift.label_counts.map((one) => [one.label, one.expected, one.count]);
  const bins = drift.score_bins.map((one) => [`${decimal(one.lower)} – ${decimal(one.upper)}`, one.expected, one.count]);
  return h(
    "div.stack",
    title,
    h("p", `Best scores: `, reading(drift.scores), ` · labels: `, reading(drift.labels)),
    h("p.hint", `${plural(drift.texts, "recent text")}.`),
    h("details", h("summary", "By label"), distribution("Label", shares, drift.texts)),
    h("details", h("summary", "By best score"), distribution("Score", bins, drift.texts)),
  );
}

function reading(index) {
  if (!index || index.value === null) return h("span.muted", "too few texts yet");
  const [kind, words] = READINGS[index.reading] ?? ["", index.reading];
  return [h("span.mono", decimal(index.value)), " ", h("span.badge", { class: `is-${kind}` }, words)];
}

function distribution(name, rows, texts) {
  const now = (amount) => (texts ? amount / texts : 0);
  const columns = [
    [name, ([key]) => key],
    ["Expected", ([, expected]) => percent(expected), "num"],
    ["Now", ([, , amount]) => h("span", { title: count(amount) }, percent(now(amount))), "num"],
    ["", ([, expected, amount]) => bars(expected, now(amount)), "bar-cell"],
  ];
  return table(columns, rows, { caption: `Expected and now, by ${name.toLowerCase()}` });
}

function bars(expected, now) {
  const bar = (share, kind) => {
    const made = h("i", { class: kind });
    setStyle(made, { width: `${share * 100}%` });
    return h("div.meter", made);
  };
  return h("div.stack.tight", { "aria-hidden": "true" }, bar(expected, "is-muted"), bar(now, null));
}
