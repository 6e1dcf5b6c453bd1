// How a page keeps up with a job: its events as they come, and its row as it changes.

import { call, get } from "../api.js";
import { readMessages } from "../sse.js";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;
// A page that nobody sees need not be quick.
const HIDDEN_WAIT_MS = 30_000;
// No key, or one that may not: asking again would open the dialog for it again and again.
const NOT_OURS = new Set([401, 403, 404]);
const ENDED = new Set(["succeeded", "failed", "cancelled"]);

export const hasEnded = (job) => ENDED.has(job.state);

/**
 * Call `onJob` with the row whenever it has changed, until it has ended.
 *
 * Returns {poke}: poke() asks at once instead of waiting.
 */
export function followRow(id, { onJob, onTrouble, signal }) {
  let tag = null;
  let wake = () => {};
  const loop = async () => {
    let trouble = FIRST_WAIT_MS;
    while (!signal.aborted) {
      let wait = trouble;
      try {
        const headers = tag ? { "If-None-Match": tag } : {};
        const answer = await call("GET", `/jobs/${id}`, { headers, signal });
        wait = 1000 * Number(answer.headers.get("Retry-After") ?? 2);
        trouble = FIRST_WAIT_MS;
        onTrouble?.(null);
        if (answer.status !== 304) {
          tag = answer.headers.get("ETag");
          const job = await answer.json();
          onJob(job);
          if (hasEnded(job)) return;
        }
      } catch (error) {
        if (signal.aborted) return;
        onTrouble?.(error);
        if (NOT_OURS.has(error.status)) return;
        trouble = Math.min(LONGEST_WAIT_MS, 2 * trouble);
      }
      const woken = new Promise((resolve) => (wake = resolve));
      await Promise.race([woken, pause(document.hidden ? HIDDEN_WAIT_MS : wait, signal)]);
    }
  };
  const poke = () => wake();
  document.addEventListener("visibilitychange", poke, { signal });
  loop();
  return { poke };
}

/**
 * Call `onEvents` with each lot of a job's events, from the first one on, until it has ended.
 *
 * A stream that breaks is taken up after the last event that came. Where no stream is to be had,
 * pages of events are asked for instead.
 */
export async function followEvents(id, { onEvents, signal }) {
  let last = null;
  let trouble = FIRST_WAIT_MS;
  const take = (events) => {
    if (!events.length || signal.aborted) return;
    last = events.at(-1).id;
    trouble = FIRST_WAIT_MS;
    onEvents(events);
  };
  while (!signal.aborted) {
    try {
      const isOver = await readStream(id, { last: () => last, take, signal });
      if (isOver) return;
    } catch (error) {
      if (signal.aborted || NOT_OURS.has(error.status)) return;
      await readPages(id, { last: () => last, take, signal }).catch(() => {});
      trouble = Math.min(LONGEST_WAIT_MS, 2 * trouble);
    }
    await pause(trouble, signal);
  }
}

/** Whether there is nothing more to come. */
async function readStream(id, { last, take, signal }) {
  const headers = { Accept: "text/event-stream" };
  if (last() !== null) headers["Last-Event-ID"] = last();
  const answer = await call("GET", `/jobs/${id}/events`, { headers, signal });
  if (answer.status === 204) return true;
  const lot = lots(take);
  try {
    for await (const message of readMessages(answer.body)) lot.add(JSON.parse(message.data));
  } finally {
    lot.flush();
  }
  return false;
}

/** Events that come at once are told at once: a page that opens late has hundreds of them. */
function lots(take) {
  let waiting = [];
  let timer = null;
  const flush = () => {
    clearTimeout(timer);
    timer = null;
    const lot = waiting;
    waiting = [];
    take(lot);
  };
  return {
    add(event) {
      waiting.push(event);
      timer ??= setTimeout(flush, 100);
    },
    flush,
  };
}

async function readPages(id, { last, take, signal }) {
  for (;;) {
    const query = { limit: 100, after: last() };
    const page = await get(`/jobs/${id}/events`, { query, signal });
    take(page.data);
    if (!page.has_more) return;
  }
}

/** A wait that ends early, without an error, when the view is left. */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done);
  });
}
