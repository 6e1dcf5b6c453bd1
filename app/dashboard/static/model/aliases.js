// Names that move: make one, point it at another version, take it away.

import { call, get, part, remove } from "../api.js";
import { append, fill, h } from "../dom.js";
import { ago } from "../format.js";
import { confirmDialog, during, field, load, problem, select } from "../parts.js";

const LATEST = "latest"; // The service moves this one by itself.

/** A panel; `onChange` is called whenever the versions have been told their aliases anew. */
export function aliasPanel({ name, versions, onChange, signal }) {
  const path = `/models/${part(name)}/aliases`;
  const list = h("div");
  const result = h("div");
  const options = versions.map((one) => [one.id, `version ${one.version}`]);
  const read = async () => {
    const { data: aliases } = await get(path, { query: { limit: 100 }, signal });
    for (const one of versions) one.aliases = aliases.filter((alias) => alias.model_id === one.id).map(({ alias }) => alias);
    if (!signal.aborted) onChange();
    return rows(aliases);
  };
  const show = () => load(list, "Loading the aliases", read, { signal });

  /** Move it only from where the page shows it: If-Match carries the ETag of what was shown. */
  async function move(alias, modelId) {
    const shown = await call("GET", `${path}/${part(alias.alias)}`, { signal });
    const now = await shown.json();
    if (now.model_id !== alias.model_id) throw new Error(`${alias.alias} was moved by somebody else meanwhile.`);
    await call("PUT", `${path}/${part(alias.alias)}`, {
      json: { model_id: modelId },
      headers: { "If-Match": shown.headers.get("ETag") },
      signal,
    });
  }

  // The list is built anew: whoever stood in it stands at the same alias again, or where one is made.
  const act = async (acted, work) => {
    result.replaceChildren();
    try {
      await work();
    } catch (error) {
      if (!signal.aborted) fill(result, problem(error));
    }
    await show();
    if (document.activeElement !== document.body || signal.aborted) return;
    (list.querySelector(`select[data-alias="${CSS.escape(acted)}"]`) ?? alias).focus({ preventScroll: true });
  };

  function rows(aliases) {
    if (!aliases.some((one) => one.alias !== LATEST)) return h("p.muted", `None of yours yet: ${name}@${LATEST} is always the newest version. With one, callers ask for ${name}@champion, and you decide what that is.`);
    return h("ul.plain", aliases.map((alias) => {
      if (alias.alias === LATEST) return h("li", h("code", `@${LATEST}`), h("span.muted", `version ${alias.version}; it is always the newest`));
      const target = select(options, { value: alias.model_id, "aria-label": `What ${alias.alias} points at`, dataset: { alias: alias.alias } });
      target.addEventListener("change", () => act(alias.alias, () => move(alias, target.value)));
      const erase = h("button.small.danger", { type: "button", "aria-label": `Delete the alias ${alias.alias}` }, "Delete");
      erase.addEventListener("click", async () => {
        const text = `Calls to ${name}@${alias.alias} will be refused from now on.`;
        if (await confirmDialog("Delete this alias?", text)) act(alias.alias, () => remove(`${path}/${part(alias.alias)}`));
      });
      return h("li", h("div", h("code", `@${alias.alias}`), h("span.muted.small", ` moved ${ago(alias.moved_at)}`)), h("div.row", h("div", target), erase));
    }));
  }

  const alias = h("input", { required: true, maxlength: "64", placeholder: "champion", autocomplete: "off" });
  const target = select(options);
  const make = h("button", { type: "submit" }, "Make it");
  const form = h(
    "form.alias-form",
    {
      onsubmit: (event) => {
        event.preventDefault();
        during(
          make,
          "Making",
          async () => {
            await call("PUT", `${path}/${part(alias.value.trim())}`, { json: { model_id: target.value }, headers: { "If-None-Match": "*" }, signal });
            alias.value = "";
            await show();
          },
          result,
        );
      },
    },
    field("New alias", alias),
    field("Points at", target),
    make,
  );
  show();
  return append(h("section.panel", { "aria-labelledby": "aliases" }), h("h2#aliases", "Aliases"), list, result, form);
}
