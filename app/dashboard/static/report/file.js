// A report as one file: the page's own sections, with its styles and still pictures of its charts.
//
// It holds no script. So it opens from a disk or a mail without a warning, a text of the dataset
// has nothing to run in it, and it is a hundredth of the size that Plotly alone would have.

import { colors, still } from "../charts.js";
import { h } from "../dom.js";
import { moment } from "../format.js";
import { figuresIn } from "./figure.js";
import { renderReport } from "./render.js";

const SHEETS = ["/static/style.css", "/static/report.css"];
const WIDTH = 860;
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/** The file's bytes: an HTML page for `told`, which is what `gather` brings. */
export async function reportFile(told) {
  const body = h("main.report");
  renderReport(body, told);
  body.prepend(
    h(
      "header.head",
      h("div", h("h1", `Report: ${told.job.name}`), h("p.muted", `Written ${moment(new Date())}`)),
    ),
  );
  // No text of the service knows it, so none can ask for a picture in its place.
  const mark = crypto.getRandomValues(new Uint32Array(4)).join("-");
  const pictures = await takePictures(body, mark);
  const styles = await Promise.all(SHEETS.map(async (path) => (await fetch(path)).text()));
  const html = body.outerHTML.replace(new RegExp(`${mark}:(\\d+)`, "g"), (_, at) => pictures[at]);
  return new Blob([page(told.job.name, styles.join("\n"), html)], { type: "text/html" });
}

/** Put a mark in the place of each chart, and return the pictures by the marks' numbers. */
async function takePictures(body, mark) {
  const pictures = [];
  for (const [slot, { traces, layout, text, height }] of figuresIn(body)) {
    const picture = await still(traces, layout, { width: WIDTH, height });
    slot.style.removeProperty("height");
    slot.setAttribute("role", "img");
    slot.setAttribute("aria-label", text);
    slot.textContent = `${mark}:${pictures.length}`;
    pictures.push(withNames(picture));
  }
  return pictures;
}

/** Colours by their names instead of their values: then the file, too, can be light or dark. */
function withNames(picture) {
  const { series, ...named } = colors();
  const all = [...Object.entries(named), ...series.map((value, at) => [`series-${at + 1}`, value])];
  return all.reduce((told, [name, value]) => told.replaceAll(value, `var(--${name})`), picture);
}

function page(name, styles, body) {
  const title = h("title", `${name}: report`).outerHTML;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
${title}
<style>
${styles}
</style>
</head>
<body class="is-file">
${body}
</body>
</html>
`;
}
