// Charts that are drawn when they are seen: one a frame, and only those whose content is new.

import { purge } from "../charts.js";

const queue = [];
let isBusy = false;

async function work() {
  if (isBusy) return;
  isBusy = true;
  while (queue.length) {
    await new Promise(requestAnimationFrame);
    const next = queue.shift();
    await next?.().catch((error) => console.error(error));
  }
  isBusy = false;
}

/**
 * Have `drawIt` called whenever the element is seen and `invalidate()` was called since.
 *
 * The chart is taken away when the view is left.
 */
export function lazily(element, drawIt, { signal }) {
  let isSeen = false;
  let isStale = false;
  let isQueued = false;
  const consider = () => {
    // Once at a time: a tab in the background draws nothing, and news of hours would pile up.
    if (!isSeen || !isStale || isQueued || signal.aborted) return;
    isQueued = true;
    queue.push(async () => {
      isQueued = isStale = false;
      if (!signal.aborted) await drawIt();
    });
    work();
  };
  const watcher = new IntersectionObserver((entries) => {
    isSeen = entries.at(-1).isIntersecting;
    consider();
  });
  watcher.observe(element);
  signal.addEventListener(
    "abort",
    () => {
      watcher.disconnect();
      purge(element);
    },
    { once: true },
  );
  return {
    invalidate() {
      isStale = true;
      consider();
    },
  };
}
