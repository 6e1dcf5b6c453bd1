// The curves of a training: loss, what is kept, thresholds, score, and the answers bought.

import { draw, escaped } from "../charts.js";
import { h } from "../dom.js";
import { count, money, percent } from "../format.js";
import { lazily } from "./lazy.js";

// More lines than these nobody follows with the eye; the chosen label's is always among them.
const MOST_LINES = 12;
const LAYOUT = { margin: { l: 46, r: 10, t: 8, b: 36 }, showlegend: false, uirevision: "curve" };

/** {element, showTraining, showAnswers, showLabel}: each redraws only what it changes. */
export function curves({ signal }) {
  let training = null;
  let answers = [];
  let chosen = null;
  // Nothing of it is shown before there is something to see.
  const whole = h("section.panel", { hidden: true });
  const charts = [
    chart("Loss of the student", () => [line(training, "loss")], { y: { rangemode: "tozero" } }),
    chart("Kept, of what was seen", () => [line(training, "selected_fraction", { scale: 100 })], {
      y: { range: [0, 103], ticksuffix: " %" },
    }),
    chart(
      "Held-out macro-F1",
      () => [line(training, "held_out_score", { scale: 100, marks: true })],
      {
        y: { rangemode: "tozero" },
      },
    ),
    chart("Teacher's threshold", (colors) => levels(training, "confidence", { chosen, colors }), {
      y: { range: [0, 1.03] },
    }),
    chart("Student's threshold", (colors) => levels(training, "uncertainty", { chosen, colors }), {
      y: { range: [0, 1.03] },
    }),
    chart("Answers of the teacher", () => bought(answers, "answered", "%{y} answers"), {
      x: { title: { text: "minutes" } },
      y: { rangemode: "tozero" },
    }),
    chart("Money", () => bought(answers, "usd", "$%{y:.4~f}"), {
      x: { title: { text: "minutes" } },
      y: { rangemode: "tozero", tickprefix: "$" },
    }),
  ];

  function chart(title, traces, { x = { title: { text: "seconds of training" } }, y }) {
    const slot = h("div.chart.small-chart");
    const words = h("span.muted");
    const element = h(
      "figure.chart-box",
      { hidden: true },
      h("figcaption", h("strong", title), " ", words),
      slot,
    );
    const drawIt = () => draw(slot, traces, { ...LAYOUT, xaxis: x, yaxis: y }, { text: title });
    const lazy = lazily(slot, drawIt, { signal });
    const invalidate = () => {
      element.hidden = whole.hidden = false;
      lazy.invalidate();
    };
    return { element, words, invalidate };
  }

  whole.append(
    h("h2", "Curves"),
    h(
      "div.curves",
      charts.map((each) => each.element),
    ),
  );
  return {
    element: whole,
    showTraining(now) {
      training = now;
      const last = now.points.at(-1);
      const score = now.points.findLast((point) => point.held_out_score !== null);
      const loss = now.points.findLast((point) => point.loss !== null);
      charts[0].words.textContent = loss ? loss.loss.toFixed(3) : "";
      charts[1].words.textContent = last ? percent(last.selected_fraction, 0) : "";
      charts[2].words.textContent = score
        ? percent(score.held_out_score)
        : now.ended
          ? "nobody looked"
          : "no look yet";
      for (const each of charts.slice(0, 5)) each.invalidate();
    },
    /** [{at, answered, cached, usd}] in order. */
    showAnswers(now) {
      answers = now;
      const last = now.at(-1);
      charts[5].words.textContent = last
        ? `${count(last.answered)}, ${count(last.answered - last.cached)} new`
        : "";
      charts[5].invalidate();
      // A teacher of one's own costs none: an empty chart says no more than that.
      if (!last?.usd) return;
      charts[6].words.textContent = money(last.usd);
      charts[6].invalidate();
    },
    /** The place of a label, or null for all. */
    showLabel(at) {
      chosen = at;
      if (training === null) return;
      charts[3].invalidate();
      charts[4].invalidate();
    },
  };
}

function line(training, name, { scale = 1, marks = false } = {}) {
  const points = (training?.points ?? []).filter((point) => point[name] !== null);
  return {
    type: "scatter",
    mode: marks ? "lines+markers" : "lines",
    // Time, not steps: where nothing is worth one, many batches go by without a step.
    x: points.map((point) => point.seconds),
    y: points.map((point) => scale * point[name]),
    customdata: points.map((point) => point.step),
    line: { width: 1.8 },
    hovertemplate: "step %{customdata}: %{y:.3~f}<extra></extra>",
  };
}

function levels(training, gate, { chosen, colors }) {
  const points = (training?.points ?? []).filter((point) => point.thresholds?.[gate]);
  const labels = training?.labels ?? [];
  const shown = labels.map((_, at) => at).slice(0, MOST_LINES);
  if (chosen !== null && !shown.includes(chosen)) shown.push(chosen);
  // The chosen one last: it is drawn over the others.
  shown.sort((one, other) => (one === chosen) - (other === chosen));
  return shown.map((at) => ({
    type: "scatter",
    mode: "lines",
    name: escaped(labels[at]),
    x: points.map((point) => point.seconds),
    y: points.map((point) => point.thresholds[gate][at]),
    customdata: points.map((point) => point.step),
    line: {
      width: at === chosen ? 2.6 : 1.3,
      color:
        chosen === null || at === chosen ? colors.series[at % colors.series.length] : colors.line,
    },
    hovertemplate: "step %{customdata}: %{y:.2f}<extra>%{fullData.name}</extra>",
  }));
}

function bought(answers, name, told) {
  const began = answers.length ? new Date(answers[0].at) : 0;
  return [
    {
      type: "scatter",
      mode: "lines+markers",
      x: answers.map((each) => (new Date(each.at) - began) / 60_000),
      y: answers.map((each) => each[name]),
      line: { width: 1.8 },
      marker: { size: 4 },
      hovertemplate: `${told} after %{x:.1f} min<extra></extra>`,
    },
  ];
}
