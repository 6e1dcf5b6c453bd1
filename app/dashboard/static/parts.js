// What every view is made of: problems, waiting, empty states, tables, dialogs, copy buttons.

import { announce, append, fill, h, uid } from "./dom.js";

/** What went wrong and where, with a way to try again. */
export function problem(error, { retry } = {}) {
  const places = (error.errors ?? []).map((one) =>
    h("li", one.pointer ? [h("code", one.pointer), " "] : null, one.message),
  );
  return h(
    "div.notice.bad",
    { role: "alert" },
    h("strong", error.title ?? "Something failed"),
    h("p", error.message),
    places.length ? h("ul", places) : null,
    error.requestId ? h("p.muted", "Request ", h("code", error.requestId)) : null,
    retry ? h("button", { type: "button", onclick: retry }, "Try again") : null,
  );
}

/** A line that says what is waited for. */
export const waiting = (what) => h("p.wait", { role: "status" }, `${what} …`);

/** Nothing here yet, and what to do next. */
export const empty = (title, text, action) =>
  h("div.empty", h("h2", title), h("p", text), action ?? null);

/**
 * Run a load into an element: words while it lasts, its children or its problem afterwards.
 * `onShown` is called once the children stand, after another try, too.
 */
export async function load(place, what, work, { signal, onShown } = {}) {
  // What takes a moment only would flash.
  const timer = setTimeout(() => fill(place, waiting(what)), 150);
  try {
    const children = await work();
    clearTimeout(timer);
    if (signal?.aborted) return;
    fill(place, children);
  } catch (error) {
    clearTimeout(timer);
    if (signal?.aborted) return;
    fill(place, problem(error, { retry: () => load(place, what, work, { signal, onShown }) }));
    return;
  }
  await onShown?.();
}

// A tab stop only where there is something to scroll; what is never laid out, as in a file, keeps it.
const widths = new ResizeObserver((seen) => {
  for (const { target } of seen) {
    const box = target.isConnected ? target.closest(".scroll") : null;
    if (!box) widths.unobserve(target);
    else if (box.scrollWidth > box.clientWidth) box.setAttribute("tabindex", "0");
    else box.removeAttribute("tabindex");
  }
});

/** A table that scrolls sideways by itself; columns are [heading, cell of a row, class]. */
export function table(columns, rows, { caption, rowClass } = {}) {
  const kinds = columns.map(([, , kind]) => kind ?? null);
  const box = h(
    "div.scroll",
    { tabindex: "0", role: "group", "aria-label": caption ? `${caption}, scrolls sideways` : "Table" },
    h(
      "table",
      caption ? h("caption.unseen", caption) : null,
      h("thead", h("tr", columns.map(([head], at) => h("th", { scope: "col", class: kinds[at] }, head)))),
      h(
        "tbody",
        rows.map((row) =>
          h(
            "tr",
            { class: rowClass?.(row) ?? null },
            columns.map(([, cell], at) => h("td", { class: kinds[at] }, cell(row))),
          ),
        ),
      ),
    ),
  );
  widths.observe(box);
  widths.observe(box.firstChild);
  return box;
}

/** Figures with their names: [[name, figure, note], ...]. */
export function figures(pairs) {
  return h(
    "dl.figures",
    pairs
      .filter(Boolean)
      .map(([name, figure, note]) => h("div", h("dt", name), h("dd", figure), note ? h("dd.muted", note) : null)),
  );
}

/** A state in a word and a colour. */
export const badge = (state) => h("span.badge", { class: `is-${state}` }, state);

/** A label, its control, and what to know about it. */
export function field(label, control, hint) {
  const id = control.id || (control.id = uid("f"));
  const note = hint ? h("p.hint", { id: `${id}-hint` }, hint) : null;
  if (note) control.setAttribute("aria-describedby", note.id);
  return h("div.field", h("label", { for: id }, label), control, note);
}

/** A select of [value, text] pairs. */
export function select(options, props = {}) {
  const { value, ...rest } = props;
  const control = h("select", rest, options.map(([key, text]) => h("option", { value: key }, text)));
  if (value !== undefined && value !== null) control.value = value;
  return control;
}

/** A button that copies what `text()` gives. */
export function copyButton(text, { label = "Copy" } = {}) {
  const button = h("button.small", { type: "button" }, label);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = "Copied";
      announce("Copied");
    } catch {
      button.textContent = "Select and copy by hand"; // Plain HTTP beyond loopback has no clipboard.
    }
    setTimeout(() => (button.textContent = label), 2000);
  });
  return button;
}

/** A modal question; true if it was confirmed. Escape and Cancel say no. */
export function confirmDialog(title, text, { action = "Delete", kind = "danger" } = {}) {
  const id = uid("dialog");
  const dialog = h("dialog", { "aria-labelledby": id });
  const answer = (value) => () => dialog.close(value);
  append(
    dialog,
    h("h2", { id }, title),
    h("p", text),
    h(
      "div.actions",
      h(`button.${kind}`, { type: "button", onclick: answer("yes") }, action),
      h("button", { type: "button", onclick: answer(""), autofocus: true }, "Cancel"),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}

const busy = new WeakSet();
const barred = new WeakSet();

/** Let a button be pressed or not; while its work lasts it cannot be, whatever is said here. */
export function allow(button, may) {
  if (may) barred.delete(button);
  else barred.add(button);
  button.disabled = !may || busy.has(button);
}

/** Disable a button while its work lasts, say what it does, and show a problem in `place`. */
export async function during(button, what, work, place) {
  const label = button.textContent;
  busy.add(button);
  button.disabled = true;
  button.textContent = `${what} …`;
  place?.replaceChildren();
  try {
    return await work();
  } catch (error) {
    if (error.name === "AbortError") return undefined;
    if (!place) throw error;
    fill(place, problem(error));
    return undefined;
  } finally {
    busy.delete(button);
    button.disabled = barred.has(button);
    button.textContent = label;
  }
}

/** Call `work` only after `ms` without another call. */
export function debounce(work, ms, { signal } = {}) {
  let timer;
  signal?.addEventListener("abort", () => clearTimeout(timer), { once: true });
  const call = (...values) => {
    clearTimeout(timer);
    if (!signal?.aborted) timer = setTimeout(() => work(...values), ms);
  };
  call.cancel = () => clearTimeout(timer);
  return call;
}
