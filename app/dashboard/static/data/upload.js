// A file on its way: dropped or chosen, its columns named, sent with its progress shown.

import { upload } from "../api.js";
import { announce, fill, h } from "../dom.js";
import { bytes } from "../format.js";
import { during, field, problem, select } from "../parts.js";
import { go } from "../router.js";
import { guess, sniff } from "../sniff.js";

const KINDS = ".csv,.tsv,.jsonl,.ndjson,.txt,.parquet,.gz";
const TEACHER_PARTS = [
  ["teacher_label_column", "Teacher's label"],
  ["teacher_confidence_column", "Teacher's confidence"],
  ["teacher_probabilities_column", "Teacher's probabilities"],
  ["teacher_votes_column", "Teacher's votes"],
];
const STOPPED_LATE = "Stopped waiting. The whole file had arrived: it may still become a dataset, which the list below then shows.";
const ENCODINGS = ["utf-8", "utf-16", "latin-1", "cp1252", "cp1250", "cp1251", "koi8-r", "shift_jis", "euc_kr", "gb18030", "big5"];

export function uploadPanel({ signal }) {
  const rest = h("div.stack");
  const input = h("input.unseen", { type: "file", accept: KINDS, id: "file" });
  const zone = h(
    "label.drop",
    { for: "file" },
    h("strong", "Drop a file here, or choose one"),
    h("span.muted", "CSV, TSV, JSON Lines, Parquet or plain text with a text a line; also as .gz"),
  );
  const take = async (file) => {
    if (!file) return;
    const found = await sniff(file);
    if (signal.aborted) return;
    fill(rest, found.ending ? settings(file, found, { rest, signal }) : wrongKind(file));
    rest.querySelector("input, select, button")?.focus();
  };
  input.addEventListener("change", () => {
    take(input.files[0]);
    input.value = ""; // The same file may be chosen again after it was mended.
  });
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => {
      event.preventDefault();
      zone.classList.add("is-over");
    });
  }
  zone.addEventListener("dragleave", () => zone.classList.remove("is-over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("is-over");
    take(event.dataTransfer.files[0]);
  });
  // A browser opens a file that is dropped elsewhere, in the place of this page.
  for (const name of ["dragover", "drop"]) document.addEventListener(name, refuse, { signal });
  return h("section.panel", { "aria-label": "Add data" }, h("div.dropper", input, zone), rest);
}

function refuse(event) {
  if (event.defaultPrevented || !event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "none";
}

function wrongKind(file) {
  return h(
    "div.notice.bad",
    { role: "alert" },
    h("strong", `${file.name} is of no kind that is read here`),
    h("p", "Its name has to end in .csv, .tsv, .jsonl, .ndjson, .txt or .parquet, or one of these and .gz."),
  );
}

function settings(file, { ending, columns }, { rest, signal }) {
  const controls = new Map();
  const name = h("input", { value: file.name.replace(/(\.\w+)(\.gz)?$/i, ""), maxlength: "200" });
  controls.set("name", name);
  const pick = (part, fallback) => {
    const control = columns ? select([["", "none"], ...columns.map((one) => [one, one])]) : h("input", { placeholder: "none" });
    control.value = fallback ?? "";
    controls.set(part, control);
    return control;
  };
  const hasColumns = ending !== "txt";
  const main = [field("Name", name)];
  if (hasColumns) {
    const text = pick("text_column", columns ? (guess(columns, "text") ?? columns[0]) : "text");
    const gold = pick("label_column", columns ? guess(columns, "label") : null);
    main.push(field("Column with the texts", text), field("Column with gold labels", gold, "Only if people made them."));
  }
  const encoding = select(ENCODINGS.map((one) => [one, one]), { value: "utf-8" });
  controls.set("encoding", encoding);
  const skip = h("input", { type: "checkbox" });
  const result = h("div");
  const send = h("button.primary", { type: "submit" }, "Upload");
  return h(
    "form.stack",
    {
      onsubmit: (event) => {
        event.preventDefault();
        const form = formOf(file, controls, { isSkipping: skip.checked, hasColumns });
        during(send, "Uploading", () => sendWithProgress(form, { file, result, signal }), result);
      },
    },
    h("p", h("strong", file.name), " ", h("span.muted", bytes(file.size))),
    h("div.fields", main),
    h(
      "details",
      h("summary", "More: a teacher's answers, encoding, bad rows"),
      h(
        "div.stack",
        hasColumns ? h("div.fields", TEACHER_PARTS.map(([part, label]) => field(label, pick(part)))) : null,
        h("div.fields", field("Encoding", encoding, "Never guessed; a byte order mark is honoured.")),
        h("label.check", skip, "Set rows aside that cannot be parsed, instead of refusing the file"),
      ),
    ),
    h("div.actions", send, h("button", { type: "button", onclick: () => rest.replaceChildren() }, "Cancel")),
    result,
  );
}

function formOf(file, controls, { isSkipping, hasColumns }) {
  const form = new FormData();
  for (const [part, control] of controls) if (control.value) form.append(part, control.value);
  if (!hasColumns) form.delete("text_column");
  if (isSkipping) form.append("on_bad_row", "skip");
  form.append("file", file); // Last: what says how to read it has come by then.
  return form;
}

async function sendWithProgress(form, { file, result, signal }) {
  const bar = h("progress", { max: "1", value: "0", "aria-label": "Upload" });
  const words = h("p.muted", { role: "status" }, "Sending …");
  const stop = new AbortController();
  let isSent = false;
  signal.addEventListener("abort", () => stop.abort(), { once: true });
  const cancel = h("button.small", { type: "button", onclick: () => stop.abort() }, "Stop");
  fill(result, h("div.stack", bar, h("div.row", words, cancel)));
  try {
    const dataset = await upload("/datasets", form, {
      signal: stop.signal,
      onProgress: (sent, total) => {
        bar.value = total ? sent / total : 0;
        isSent = sent >= total;
        words.textContent = isSent ? "Reading the rows …" : `${bytes(sent)} of ${bytes(total)}`;
        if (isSent) bar.removeAttribute("value"); // The service reads; how long nobody knows.
      },
    });
    announce(`${file.name} is uploaded.`);
    go("data", dataset.id);
  } catch (error) {
    if (error.name === "AbortError") fill(result, h("p.muted", isSent ? STOPPED_LATE : "Stopped; nothing was kept."));
    else fill(result, problem(error));
  }
}
