// Calls of the public API, and nothing else: JSON in and out, problems as errors, keys on demand.

import { askForKey, forgetKey, heldKey } from "./key.js";

/** What the service refused, in its own words: title, detail, errors[{pointer, code, message}]. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `The service answered ${status}.`);
    this.name = "Problem";
    this.status = status;
    this.code = body.code ?? null;
    this.title = body.title ?? `Status ${status}`;
    this.detail = body.detail ?? "";
    this.errors = body.errors ?? [];
    this.requestId = body.request_id ?? null;
  }
}

/** The service could not be reached at all. */
export class Unreachable extends Error {
  constructor() {
    super("The service does not answer. Is it still running?");
    this.name = "Unreachable";
  }
}

/** A path with its query; arrays repeat, null and undefined are left out. */
export function address(path, query = {}) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value].flat()) {
      if (one !== null && one !== undefined && one !== "") search.append(name, one);
    }
  }
  const told = search.toString();
  return told ? `${path}?${told}` : path;
}

/** One part of a path: a name from a user may hold a slash. */
export const part = encodeURIComponent;

/**
 * The answer to a call, as `Response`; the caller reads its body.
 * On 401 the key is asked for, once for all calls that wait, and the call is repeated.
 */
export async function call(method, path, { query, json, body, headers = {}, signal } = {}) {
  for (;;) {
    const key = heldKey();
    const sent = { Accept: "application/json, */*;q=0.5", ...headers };
    if (key) sent.Authorization = `Bearer ${key}`;
    if (json !== undefined) sent["Content-Type"] = "application/json";
    let answer;
    try {
      answer = await fetch(address(path, query), {
        method,
        headers: sent,
        body: json === undefined ? body : JSON.stringify(json),
        signal,
        cache: "no-store",
      });
    } catch (error) {
      if (error.name === "AbortError" || signal?.aborted) throw error;
      throw new Unreachable();
    }
    if (answer.status === 401 && (await askForKey({ wasWrong: key }))) continue;
    if (!answer.ok && answer.status !== 304) throw await readProblem(answer);
    return answer;
  }
}

/** The JSON of a call's answer; null if it has no body. */
export async function request(method, path, options) {
  const answer = await call(method, path, options);
  return answer.status === 204 ? null : answer.json();
}

export const get = (path, options) => request("GET", path, options);
export const post = (path, json, options) => request("POST", path, { json, ...options });
export const put = (path, json, options) => request("PUT", path, { json, ...options });
export const patch = (path, json, options) => request("PATCH", path, { json, ...options });
export const remove = (path, options) => request("DELETE", path, options);

/** As many items of a list as a view shows at once. */
export const MOST = 500;

/** All of a short list, page by page, at most `most` items. */
export async function all(path, { query = {}, most = MOST, signal } = {}) {
  const found = [];
  let after = null;
  while (found.length < most) {
    const page = await get(path, { query: { ...query, limit: 100, after }, signal });
    found.push(...page.data);
    if (!page.has_more) break;
    after = page.last_id;
  }
  return found;
}

/** Send a form and hear how far it is: `onProgress(sent, total)` in bytes. */
export async function upload(path, form, { onProgress, signal } = {}) {
  for (;;) {
    const key = heldKey();
    const answer = await sendForm(path, form, { key, onProgress, signal });
    if (answer.status === 401 && (await askForKey({ wasWrong: key }))) continue;
    if (answer.status >= 400) throw new Problem(answer.status, answer.json ?? {});
    return answer.json;
  }
}

function sendForm(path, form, { key, onProgress, signal }) {
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest(); // fetch() tells nothing of an upload's progress.
    sending.open("POST", path);
    sending.responseType = "json";
    sending.setRequestHeader("Accept", "application/json");
    if (key) sending.setRequestHeader("Authorization", `Bearer ${key}`);
    sending.upload.onprogress = (event) => onProgress?.(event.loaded, event.total);
    sending.onload = () => resolve({ status: sending.status, json: sending.response });
    sending.onerror = () => reject(new Unreachable());
    sending.onabort = () => reject(new DOMException("Cancelled", "AbortError"));
    signal?.addEventListener("abort", () => sending.abort(), { once: true });
    sending.send(form);
  });
}

/** Fetch a file with the key and hand it to the browser to keep; says its size in bytes. */
export async function download(path, filename, { query, signal, headers } = {}) {
  const answer = await call("GET", path, { query, signal, headers });
  const blob = await answer.blob();
  saveBlob(blob, filenameOf(answer) ?? filename);
  return blob.size;
}

/** Hand a blob to the browser as a file of this name. */
export function saveBlob(blob, filename) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = filename;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function filenameOf(answer) {
  const told = answer.headers.get("Content-Disposition") ?? "";
  return /filename="?([^";]+)"?/.exec(told)?.[1] ?? null;
}

async function readProblem(answer) {
  const body = await answer.json().catch(() => ({}));
  return new Problem(answer.status, body);
}

export { forgetKey };
