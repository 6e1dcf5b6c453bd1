// Teachers: stored connections to servers; a key goes in and is never told again.

import { all, part, post, remove } from "../api.js";
import { append, fill, h } from "../dom.js";
import { ago, money } from "../format.js";
import { confirmDialog, during, empty, field, load, problem } from "../parts.js";
import { testResult } from "../teachers/test_result.js";

export async function render(main, params, { signal }) {
  const list = h("div.stack");
  const show = () =>
    load(list, "Loading the teachers", async () => {
      const teachers = await all("/teachers", { signal });
      if (!teachers.length) return empty("No connection is stored", "Local teachers need none. Store one to have a server that speaks OpenAI's chat completions teach: its key stays here, sealed.");
      return teachers.map((one) => card(one, { show, signal }));
    }, { signal });
  fill(
    main,
    h("div.head", h("div", h("h1", "Teachers"), h("p.lead", "Connections to language models that can label texts. Local teachers are chosen in a new job."))),
    h("div.split", h("section.stack", { "aria-label": "Stored connections" }, list), newTeacher({ show, signal })),
  );
  await show();
}

function card(told, { show, signal }) {
  const result = h("div", told.last_test ? testResult(told.last_test) : null);
  const test = h("button", { type: "button" }, "Test with one call");
  test.addEventListener("click", () =>
    during(test, "Asking", async () => fill(result, testResult(await post(`/teachers/${part(told.id)}/test`, undefined, { signal }))), result),
  );
  const erase = h("button.danger", { type: "button", "aria-label": `Delete ${told.name}` }, "Delete");
  erase.addEventListener("click", async () => {
    if (!(await confirmDialog(`Delete ${told.name}?`, "Its key is erased. Answers that it gave stay, and so do models made from them."))) return;
    try {
      await remove(`/teachers/${part(told.id)}`);
      await show();
    } catch (error) {
      fill(result, problem(error));
    }
  });
  const facts = [
    told.has_key ? `key …${told.key_last4 ?? ""}` : "no key",
    `${told.concurrency} calls at once`,
    told.requests_per_minute ? `${told.requests_per_minute} requests a minute` : null,
    told.prices ? `${money(told.prices.input_usd_per_million)} in, ${money(told.prices.output_usd_per_million)} out, a million tokens` : null,
    `stored ${ago(told.created_at)}`,
  ];
  return append(
    h("article.panel", { "aria-label": told.name }),
    h("header", h("h2", told.name), h("div.row", test, erase)),
    h("p", h("code", told.model), h("span.muted", " at "), h("code", told.base_url)),
    h("p.hint", facts.filter(Boolean).join(" · ")),
    result,
  );
}

function newTeacher({ show, signal }) {
  const input = (props) => h("input", { autocomplete: "off", ...props });
  const name = input({ required: true, maxlength: "200", placeholder: "vLLM in the cellar" });
  const url = input({ required: true, type: "url", placeholder: "http://127.0.0.1:8080/v1" });
  const model = input({ required: true, maxlength: "200", placeholder: "qwen3-8b" });
  const key = input({ type: "password" });
  const priceIn = input({ type: "number", min: "0", step: "any" });
  const priceOut = input({ type: "number", min: "0", step: "any" });
  const result = h("div");
  const store = h("button.primary", { type: "submit" }, "Store it");
  const body = () => {
    const told = { name: name.value.trim(), base_url: url.value.trim(), model: model.value.trim() };
    if (key.value) told.key = key.value;
    if (priceIn.value !== "" || priceOut.value !== "") {
      told.prices = { input_usd_per_million: Number(priceIn.value), output_usd_per_million: Number(priceOut.value) };
    }
    return told;
  };
  const form = h(
    "form.stack",
    {
      onsubmit: (event) => {
        event.preventDefault();
        during(
          store,
          "Storing",
          async () => {
            await post("/teachers", body(), { signal });
            form.reset();
            await show();
          },
          result,
        );
      },
    },
    field("Name", name),
    field("Address", url, "Without /chat/completions. Its host has to be one that the operator allows (LLKD_TEACHER_HOSTS)."),
    field("Model", model),
    field("Key", key, "Sent to this address alone, sealed where it is stored, never told again. Empty for a server that needs none."),
    h("div.fields", field("$ a million tokens in", priceIn), field("$ a million tokens out", priceOut)),
    h("div.actions", store),
    result,
  );
  return append(h("section.panel", { "aria-labelledby": "store" }), h("h2#store", "Store a connection"), form);
}
