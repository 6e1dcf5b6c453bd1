// What a text can be: a name, what it means, and examples that say it better than words.

import { append, h, uid } from "../dom.js";
import { count } from "../format.js";

export function labelEditor({ dataset, changed, signal }) {
  const list = h("ol.labels");
  const note = h("p.hint");
  const fromGold = h("button.small", { type: "button" }, "Take the gold labels");
  const add = h("button.small", { type: "button" }, "Add a label");
  const paste = h("button.small", { type: "button" }, "Paste many");

  const rows = () => [...list.children];
  const told = () => {
    point(rows());
    note.textContent = `${count(rows().filter((row) => nameOf(row).value.trim()).length)} named. A description and two or three examples each help the teacher most.`;
    changed();
  };
  const insert = (label = {}) => {
    const row = labelRow(label, {
      changed: told,
      remove: () => {
        const next = row.nextElementSibling ?? row.previousElementSibling;
        row.remove();
        told();
        (next ? nameOf(next) : add).focus();
      },
    });
    list.append(row);
    return row;
  };
  const merge = (labels) => {
    if (!labels.length) return;
    for (const row of rows()) if (isBlank(row)) row.remove();
    const there = new Set(rows().map((row) => nameOf(row).value.trim()));
    for (const label of labels) if (!there.has(label.name)) insert(label);
    while (rows().length < 2) insert();
    told();
  };

  add.addEventListener("click", () => {
    nameOf(insert()).focus();
    told();
  });
  paste.addEventListener("click", async () => merge(await pasteDialog({ signal })));
  fromGold.addEventListener("click", () => merge(Object.keys(dataset().statistics.gold).sort().map((name) => ({ name }))));
  insert();
  insert();

  return {
    element: h("section.panel", { "aria-labelledby": "labels" }, h("header", h("h2#labels", "2 · Labels"), h("div.row", fromGold, paste, add)), list, note),
    value: () => rows().map(valueOf).filter(Boolean),
    missing: () => {
      const named = rows().filter((row) => nameOf(row).value.trim()).length;
      return named >= 2 ? [] : [`name ${2 - named === 1 ? "one more label" : "two labels"}`];
    },
    follow: () => {
      const { gold } = dataset().statistics;
      fromGold.hidden = !gold;
      if (gold) fromGold.textContent = `Take the ${count(Object.keys(gold).length)} gold labels`;
      told();
    },
  };
}

const nameOf = (row) => row.querySelector("[data-part=name]");
const isBlank = (row) => [...row.querySelectorAll("[data-part]")].every((one) => !one.value.trim());

function valueOf(row) {
  const read = (partName) => row.querySelector(`[data-part=${partName}]`).value.trim();
  if (!read("name")) return null;
  const label = { name: read("name") };
  const examples = read("examples").split("\n").map((one) => one.trim()).filter(Boolean);
  if (read("description")) label.description = read("description");
  if (examples.length) label.examples = examples;
  return label;
}

function labelRow({ name = "", description = "", examples = [] }, { changed, remove }) {
  const id = uid("label");
  const control = (tag, partName, label, props) => {
    const made = h(tag, { id: `${id}-${partName}`, "data-part": partName, oninput: changed, ...props });
    return h("div.field", h("label.small", { for: made.id }, label), made);
  };
  const erase = h("button.quiet.small", { type: "button", title: "Remove", onclick: remove }, "✕");
  const call = (told) => erase.setAttribute("aria-label", `Remove the label ${told}`.trim());
  call(name);
  const row = h(
    "li",
    control("input", "name", "Name", { value: name, maxlength: "100", autocomplete: "off" }),
    control("input", "description", "What it means", { value: description, maxlength: "2000" }),
    control("textarea", "examples", "Examples, one a line", { value: examples.join("\n"), rows: "1" }),
    erase,
  );
  nameOf(row).addEventListener("input", () => call(nameOf(row).value.trim()));
  return row;
}

/** Say which part of what is sent each control stands for: only named labels are sent. */
function point(rows) {
  let sent = 0;
  for (const row of rows) {
    const isSent = nameOf(row).value.trim() !== "";
    for (const control of row.querySelectorAll("[data-part]")) {
      control.dataset.pointer = isSent ? `/labels/${sent}/${control.dataset.part}` : "";
    }
    if (isSent) sent += 1;
  }
}

/** Labels from pasted lines: `name`, `name: what it means`, or these with a tab between. */
export function parseLines(text) {
  return text
    .split("\n")
    .map((line) => /^\s*([^\t:]+?)\s*(?:[\t:]\s*(.*))?$/.exec(line))
    .filter(Boolean)
    .map(([, name, description = ""]) => ({ name, description: description.trim() }));
}

function pasteDialog({ signal }) {
  const id = uid("paste");
  const lines = h("textarea", { id, rows: "10", placeholder: "billing: Invoices, charges, payments\ndelivery: Where a parcel is" });
  const dialog = h("dialog", { "aria-labelledby": `${id}-title` });
  append(
    dialog,
    h("h2", { id: `${id}-title` }, "Paste labels"),
    h("label", { for: id }, "One a line: a name, or a name, a colon and what it means"),
    lines,
    h(
      "div.actions",
      h("button.primary", { type: "button", onclick: () => dialog.close("add") }, "Add them"),
      h("button", { type: "button", onclick: () => dialog.close("") }, "Cancel"),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  signal.addEventListener("abort", () => dialog.close(""), { once: true });
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "add" ? parseLines(lines.value) : []);
    });
  });
}
