// Which view an address after # names. A view is loaded when it is first shown.

import { announce, fill, h } from "./dom.js";
import { problem } from "./parts.js";

// [pattern, module below views/, area of the navigation, title]
const ROUTES = [
  ["data", "data", "data", "Data"],
  ["data/:id", "dataset", "data", "Dataset"],
  ["new", "new_job", "new", "New job"],
  ["jobs", "jobs", "jobs", "Jobs"],
  ["jobs/:id", "job", "jobs", "Job"],
  ["jobs/:id/report", "report", "jobs", "Report"],
  ["jobs/:id/audit", "audit", "jobs", "Label audit"],
  ["models", "models", "models", "Models"],
  ["models/:name", "model", "models", "Model"],
  ["teachers", "teachers", "teachers", "Teachers"],
  ["api", "api", "api", "API reference"],
];

let leaving = new AbortController();

/** Follow the address from now on. */
export function start() {
  globalThis.addEventListener("hashchange", () => show({ isFirst: false }));
  show({ isFirst: true });
}

/** Go to a view: go("jobs", id). */
export function go(...parts) {
  location.hash = link(...parts);
}

/** The address of a view, its parts escaped. */
export function link(...parts) {
  return `#/${parts.map(encodeURIComponent).join("/")}`;
}

/** Show the present view again, from new answers. */
export function reload() {
  return show({ isFirst: true });
}

async function show({ isFirst }) {
  const address = location.hash.startsWith("#/") ? location.hash.slice(2) : "";
  const [path, search = ""] = address.split("?");
  const found = match(path || "data");
  leaving.abort();
  // A question of the view that is left would be answered for nothing, or worse, confirmed.
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close("");
  leaving = new AbortController();
  const { signal } = leaving;
  markArea(found?.area);
  const main = document.getElementById("main");
  // Each view has an element of its own: a late answer of the last one lands nowhere.
  const place = h("div.view");
  main.replaceChildren(place);
  if (!found) {
    fill(place, h("h1", "Not found"), h("p", "There is no such page. ", h("a", { href: "#/data" }, "Data")));
    return;
  }
  document.title = `${found.title} · LLKD`;
  try {
    const view = await import(`./views/${found.module}.js`);
    if (signal.aborted) return;
    const query = Object.fromEntries(new URLSearchParams(search));
    const rendered = view.render(place, { ...query, ...found.params }, { signal });
    if (!isFirst) {
      scrollTo(0, 0);
      main.focus({ preventScroll: true });
      announce(found.title);
    }
    await rendered;
  } catch (error) {
    if (signal.aborted) return;
    if (!place.querySelector("h1")) fill(place, h("h1", found.title));
    place.append(problem(error, { retry: reload }));
  }
}

function match(path) {
  const asked = path.split("/").filter(Boolean);
  for (const [pattern, module, area, title] of ROUTES) {
    const wanted = pattern.split("/");
    if (wanted.length !== asked.length) continue;
    const params = {};
    const fits = wanted.every((piece, index) => {
      if (!piece.startsWith(":")) return piece === asked[index];
      params[piece.slice(1)] = decode(asked[index]);
      return true;
    });
    if (fits) return { module, area, title, params };
  }
  return null;
}

function decode(piece) {
  try {
    return decodeURIComponent(piece);
  } catch {
    return piece; // A lone % that someone typed.
  }
}

function markArea(area) {
  for (const anchor of document.querySelectorAll("[data-area]")) {
    if (anchor.dataset.area === area) anchor.setAttribute("aria-current", "page");
    else anchor.removeAttribute("aria-current");
  }
}
