// Charts of a report: where each stands in the page, and what it shows, until somebody draws it.
// The page draws them with Plotly; the file that is kept holds each as a still picture.

import { draw, purge } from "../charts.js";
import { h } from "../dom.js";

const figures = new WeakMap();

/**
 * A place for a chart, with its caption.
 *
 * `traces` and `layout` are Plotly's, or functions of the colours; `text` says what it shows.
 */
export function figure(caption, { traces, layout, text, height = 300 }) {
  const slot = h("div.chart", { style: { height: `${height}px` } });
  figures.set(slot, { traces, layout, text, height });
  return h("figure.chart-box", slot, h("figcaption", caption));
}

/** The places below an element that have something to show: [[element, figure], ...]. */
export function figuresIn(root) {
  return [...root.querySelectorAll(".chart")]
    .map((slot) => [slot, figures.get(slot)])
    .filter(([, shown]) => shown);
}

/** Draw them all, one after another, so that the page stays quick to the hand. */
export async function drawFigures(root, { signal } = {}) {
  for (const [slot, { traces, layout, text }] of figuresIn(root)) {
    if (signal?.aborted) return;
    await draw(slot, traces, layout, { text });
    await new Promise(requestAnimationFrame);
  }
}

export function purgeFigures(root) {
  for (const [slot] of figuresIn(root)) purge(slot);
}
