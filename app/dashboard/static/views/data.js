// Data: drop a file, and the datasets that there are.

import { get } from "../api.js";
import { fill, h } from "../dom.js";
import { ago, bytes, count } from "../format.js";
import { paged } from "../pages.js";
import { empty, table } from "../parts.js";
import { link } from "../router.js";
import { uploadPanel } from "../data/upload.js";

const COLUMNS = [
  ["Name", (one) => h("a", { href: link("data", one.id) }, one.name), "wide"],
  ["Texts", (one) => count(one.statistics.unique), "num"],
  ["Set aside", (one) => setAside(one.statistics.set_aside), "num"],
  ["Gold labels", (one) => (one.statistics.gold ? count(Object.keys(one.statistics.gold).length) : "–"), "num"],
  ["Answers", (one) => count(one.statistics.teacher_answers), "num"],
  ["Size", (one) => bytes(one.size_bytes), "num"],
  ["Added", (one) => h("span.muted", ago(one.created_at)), "num"],
];

export async function render(main, params, { signal }) {
  const list = h("div");
  fill(
    main,
    h("div.head", h("div", h("h1", "Data"), h("p.lead", "Unlabelled texts to learn from, and texts with gold labels to measure on."))),
    uploadPanel({ signal }),
    h("section.panel", { "aria-labelledby": "datasets" }, h("h2#datasets", "Datasets"), list),
  );
  await paged(list, {
    what: "Loading the datasets",
    fetchPage: (after) => get("/datasets", { query: { limit: 20, after }, signal }),
    render: (items) => table(COLUMNS, items, { caption: "Datasets" }),
    none: empty("No data yet", "Drop a file above. A few hundred short texts are enough to begin with; labels are not needed."),
    signal,
  });
}

function setAside(amount) {
  return amount ? h("span.warn-text", count(amount)) : "0";
}
