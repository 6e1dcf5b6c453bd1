// Plotly, loaded when the first chart is drawn, in the page's own colours.
// A chart is an image to a screen reader: say in `text` what it shows, or put a table beside it.
// No heatmaps and no colour bars: Plotly draws these with style attributes; nothing that ends in
// `gl`: it makes functions of strings. The content security policy forbids both.

import { h } from "./dom.js";

let loading = null;
const drawn = new Map();

function plotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = h("script", { src: "/static/plotly.min.js" });
    const restore = pretendMapStyles();
    script.onload = () => {
      restore();
      resolve(globalThis.Plotly);
    };
    script.onerror = () => {
      restore();
      loading = null;
      reject(new Error("The charts could not be loaded from this service."));
    };
    document.head.append(script);
  });
  return loading;
}

/**
 * Plotly writes the styles of maps, which are not drawn here, into the page as it is loaded,
 * unless an element whose id is their SHA-256 says that they are there. The policy forbids them.
 */
function pretendMapStyles() {
  document.getElementById = (id) =>
    /^[0-9a-f]{64}$/.test(id) ? document.head : Document.prototype.getElementById.call(document, id);
  return () => delete document.getElementById;
}

/** Plotly reads a few HTML tags in its labels; a name that has some is to be seen as it is. */
export const escaped = (text) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** The page's colours as they are now; `series` for lines and labels in turn. */
export function colors() {
  const probe = document.body.appendChild(h("span"));
  // A custom property reads as it is written, light and dark; a colour made of it is resolved.
  const of = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const found = {
    ink: of("ink"),
    muted: of("muted"),
    line: of("line"),
    surface: of("surface"),
    accent: of("accent"),
    good: of("good"),
    bad: of("bad"),
    warn: of("warn"),
    series: Array.from({ length: 8 }, (_, index) => of(`series-${index + 1}`)),
  };
  probe.remove();
  return found;
}

/**
 * Draw into an element, or draw it anew.
 * `traces` and `layout` are Plotly's, or functions of `colors()`, which are called again
 * when the theme changes. `text` says what the chart shows.
 */
export async function draw(element, traces, layout = {}, { text } = {}) {
  if (text) {
    element.setAttribute("role", "img");
    element.setAttribute("aria-label", text);
  }
  drawn.set(element, { traces, layout });
  const library = await plotly();
  // It may have been purged, or drawn again, while the library came.
  const wanted = drawn.get(element);
  if (wanted) await library.react(element, ...made(wanted), CONFIG);
}

/** Draw other traces or another layout in the place of those before; cheap. */
export async function update(element, traces, layout) {
  const before = drawn.get(element);
  return draw(element, traces ?? before?.traces, layout ?? before?.layout);
}

/** Take a chart away and give its memory back. */
export function purge(element) {
  if (drawn.delete(element)) globalThis.Plotly?.purge(element);
}

const CONFIG = { displayModeBar: false, responsive: true, displaylogo: false, doubleClick: "reset" };

function made({ traces, layout }) {
  const now = colors();
  const told = typeof layout === "function" ? layout(now) : layout;
  return [typeof traces === "function" ? traces(now) : traces, themed(told, now)];
}

function themed(layout, now) {
  const axis = {
    gridcolor: now.line,
    zerolinecolor: now.line,
    linecolor: now.line,
    tickcolor: now.line,
    automargin: true,
    fixedrange: false,
  };
  const axes = Object.keys(layout).filter((name) => /^[xy]axis\d*$/.test(name));
  const named = new Set([...axes, "xaxis", "yaxis"]);
  return {
    colorway: now.series,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 44, r: 12, t: 12, b: 36 },
    hoverlabel: { bgcolor: now.surface, bordercolor: now.line, font: { color: now.ink }, align: "left" },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    ...layout,
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: now.muted, ...layout.font },
    ...Object.fromEntries([...named].map((name) => [name, { ...axis, ...layout[name] }])),
  };
}

globalThis.addEventListener("themechange", () => {
  for (const [element, wanted] of drawn) {
    if (!element.isConnected) purge(element);
    else globalThis.Plotly?.react(element, ...made(wanted), CONFIG);
  }
});

/** A chart as the text of an SVG, for a file; nothing is drawn in the page. */
export async function still(traces, layout, { width, height }) {
  const library = await plotly();
  const [data, told] = made({ traces, layout });
  const picture = { data, layout: { ...told, width, height } };
  return library.toImage(picture, { format: "svg", imageDataOnly: true, width, height });
}
