// The API key: asked for only when the service wants one, kept only as long as this tab and those it opens.

import { h, uid } from "./dom.js";

const NAME = "llkd.key";
let held = read();
let asking = null;

function read() {
  try {
    return sessionStorage.getItem(NAME);
  } catch {
    return null; // Storage may be forbidden; the key then lasts until the next load.
  }
}

function keep(key) {
  held = key;
  try {
    if (key) sessionStorage.setItem(NAME, key);
    else sessionStorage.removeItem(NAME);
  } catch {
    // See above.
  }
  globalThis.dispatchEvent(new CustomEvent("keychange"));
}

export const heldKey = () => held;
export const forgetKey = () => keep(null);

/** Whether there is now another key to try; calls that ask at once share one dialog. */
export async function askForKey({ wasWrong }) {
  if (held !== wasWrong) return Boolean(held);
  asking ??= showDialog({ wasWrong }).finally(() => (asking = null));
  const key = await asking;
  if (!key) return false;
  if (key !== held) keep(key);
  return true;
}

function showDialog({ wasWrong }) {
  const id = uid("key");
  const input = h("input", { type: "password", id, autocomplete: "off", required: true });
  const dialog = h(
    "dialog",
    { "aria-labelledby": `${id}-title` },
    h("h2", { id: `${id}-title` }, "This service asks for a key"),
    wasWrong ? h("p.bad-text", { role: "alert" }, "The key that was sent is not valid.") : null,
    h("p.muted", "It is kept in this tab and those that it opens, and sent to this service alone."),
    h("label", { for: id }, "API key"),
    input,
  );
  return new Promise((resolve) => {
    const form = h(
      "form",
      {
        method: "dialog",
        onsubmit: (event) => {
          event.preventDefault(); // The policy lets no form be sent, not even to a dialog.
          dialog.close(input.value.trim());
        },
      },
      ...dialog.childNodes,
      h(
        "div.actions",
        h("button.primary", { type: "submit" }, "Use this key"),
        h("button", { type: "button", onclick: () => dialog.close("") }, "Cancel"),
      ),
    );
    dialog.append(form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue || null);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
