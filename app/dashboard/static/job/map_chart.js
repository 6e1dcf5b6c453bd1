// The selection map as a chart: teacher confidence across, student uncertainty up.
// Points are SVG: WebGL would need code made of strings, which the page's policy forbids.

import { escaped } from "../charts.js";
import { percent } from "../format.js";

const LINE_LENGTH = 56;
// What is unknown, or not asked for, stands beyond zero, on a strip of its own.
const UNKNOWN = -0.06;
const TICKS = [0, 0.2, 0.4, 0.6, 0.8, 1];

/** Traces of a frame; `label` is a name, or null for all labels. */
export function mapTraces(frame, { label }) {
  const points = frame?.points ?? [];
  return (colors) => [
    trace(
      points.filter((point) => !point.kept),
      {
        name: "passed over",
        label,
        marker: { color: colors.muted, size: 6, symbol: "circle-open" },
      },
    ),
    trace(
      points.filter((point) => point.kept),
      {
        name: "kept",
        label,
        marker: { color: colors.accent, size: 9, symbol: "circle" },
      },
    ),
  ];
}

function trace(points, { name, label, marker }) {
  const strength = points.map((point) => (label === null || point.label === label ? 0.85 : 0.12));
  return {
    type: "scatter",
    mode: "markers",
    name,
    x: points.map((point) => point.confidence ?? UNKNOWN),
    y: points.map((point) => point.uncertainty ?? UNKNOWN),
    text: points.map(hoverText),
    marker: { ...marker, opacity: strength },
    hovertemplate: `%{text}<extra>${name}</extra>`,
  };
}

function hoverText(point) {
  const confidence = point.confidence === null ? "unknown" : percent(point.confidence, 0);
  // No tag but <br>: others set style attributes, which the page's policy forbids.
  const head = `${escaped(point.label)} · teacher ${confidence} · student uncertainty ${point.uncertainty?.toFixed(2) ?? "not asked"}`;
  return [head, ...wrapped(point.text ?? "(its dataset was deleted)").map(escaped)].join("<br>");
}

function wrapped(text) {
  const lines = [""];
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1);
    if (line && line.length + word.length >= LINE_LENGTH) lines.push(word.slice(0, LINE_LENGTH));
    else lines[lines.length - 1] = line ? `${line} ${word}` : word.slice(0, LINE_LENGTH);
  }
  return lines;
}

/** Axes, and the thresholds: a label's two lines, or over all labels the band they lie in. */
export function mapLayout(frame, { at }) {
  const { confidence = null, uncertainty = null } = frame?.thresholds ?? {};
  return (colors) => ({
    // A zoom stays while the frames go by.
    uirevision: "map",
    xaxis: { title: { text: "teacher's confidence" }, ...scale(frame, "confidence") },
    yaxis: { title: { text: "student's uncertainty" }, ...scale(frame, "uncertainty") },
    margin: { l: 56, r: 12, t: 30, b: 48 },
    shapes: [
      ...threshold(confidence, { axis: "x", at, color: colors.warn }),
      ...threshold(uncertainty, { axis: "y", at, color: colors.good }),
    ],
  });
}

function scale(frame, name) {
  const hasUnknown = (frame?.points ?? []).some((point) => point[name] === null);
  const values = hasUnknown ? [UNKNOWN, ...TICKS] : TICKS;
  return {
    range: [hasUnknown ? UNKNOWN - 0.03 : -0.03, 1.04],
    tickvals: values,
    ticktext: values.map((value) => (value === UNKNOWN ? "?" : String(value))),
  };
}

function threshold(levels, { axis, at, color }) {
  const known = (levels ?? []).filter((level) => level !== null);
  if (!known.length) return [];
  const across = axis === "x" ? "y" : "x";
  const whole = { type: "rect", [`${across}ref`]: "paper", [`${across}0`]: 0, [`${across}1`]: 1 };
  const span = (from, to) => ({ [`${axis}0`]: from, [`${axis}1`]: to });
  if (at !== null) {
    const level = levels[at];
    if (level === null) return [];
    return [
      { ...whole, type: "line", ...span(level, level), line: { color, width: 2, dash: "dash" } },
    ];
  }
  return [
    {
      ...whole,
      ...span(Math.min(...known), Math.max(...known)),
      fillcolor: color,
      opacity: 0.18,
      line: { width: 0 },
      layer: "below",
    },
  ];
}
