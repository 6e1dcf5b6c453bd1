// Labels that a person gave by hand, kept in this browser until a job is started from them.

const MOST = 1000;
const keyOf = (jobId) => `llkd.corrections.${jobId}`;

/**
 * {get, set, drop, clear, list, size, onChange} of one job's corrections.
 *
 * onChange(listener, element) calls it after every change, as long as the element is in the page.
 */
export function corrections(jobId) {
  const held = new Map(read(jobId));
  let listeners = [];
  const changed = () => {
    write(jobId, [...held]);
    // A list that is opened again is built anew: what the one before listened with is let go.
    listeners = listeners.filter(([, element]) => element.isConnected);
    for (const [listener] of listeners) listener();
  };
  return {
    get: (index) => held.get(index) ?? null,
    set(index, label) {
      if (!held.has(index) && held.size >= MOST) return false;
      held.set(index, label);
      changed();
      return true;
    },
    drop(index) {
      if (held.delete(index)) changed();
    },
    clear() {
      held.clear();
      changed();
    },
    /** As `POST /jobs` takes them. */
    list: () => [...held].map(([index, label]) => ({ index, label })),
    get size() {
      return held.size;
    },
    onChange: (listener, element) => listeners.push([listener, element]),
  };
}

function read(jobId) {
  try {
    const kept = JSON.parse(localStorage.getItem(keyOf(jobId)) ?? "[]");
    return kept.filter(([index, label]) => Number.isInteger(index) && typeof label === "string");
  } catch {
    return []; // Storage may be forbidden, or hold what an earlier release wrote.
  }
}

function write(jobId, pairs) {
  try {
    if (pairs.length) localStorage.setItem(keyOf(jobId), JSON.stringify(pairs));
    else localStorage.removeItem(keyOf(jobId));
  } catch {
    // Then they last until the page is left.
  }
}
