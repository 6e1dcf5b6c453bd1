// A row of tabs: one panel at a time, arrows move between them.

import { fill, h, uid } from "../dom.js";

/** {element, open}: `tabs` is [[key, title, count, build(extra)], ...]; open(key, extra) builds one. */
export function tabs(all, { label }) {
  const id = uid("tabs");
  const panel = h("div.stack", { role: "tabpanel", id: `${id}-panel`, tabindex: "0" });
  const buttons = all.map(([key, title, total]) =>
    h(
      "button.tab",
      {
        type: "button",
        role: "tab",
        id: `${id}-${key}`,
        "aria-controls": panel.id,
        onclick: () => open(key),
      },
      title,
      " ",
      h("span.muted", String(total)),
    ),
  );
  const open = (key, extra) => {
    all.forEach(([each, , , build], at) => {
      const isOpen = each === key;
      buttons[at].setAttribute("aria-selected", String(isOpen));
      buttons[at].tabIndex = isOpen ? 0 : -1;
      if (!isOpen) return;
      panel.setAttribute("aria-labelledby", buttons[at].id);
      fill(panel, build(extra));
    });
  };
  const row = h("div.tabs", { role: "tablist", "aria-label": label }, buttons);
  row.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const at = buttons.indexOf(document.activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    const next = buttons[(at + step + buttons.length) % buttons.length];
    next.click();
    next.focus();
  });
  open(all[0][0]);
  return { element: h("section.panel", row, panel), open };
}
