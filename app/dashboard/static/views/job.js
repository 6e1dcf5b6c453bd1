// A job's page: built once, then each part takes what is new. Nothing is built anew under the hand.

import { get, part } from "../api.js";
import { fill, h } from "../dom.js";
import { problem } from "../parts.js";
import { curves } from "../job/curves.js";
import { eventList } from "../job/event_list.js";
import { followEvents, followRow, hasEnded } from "../job/follow.js";
import { heading } from "../job/heading.js";
import { otherKind } from "../job/other_kinds.js";
import { spending } from "../job/spending.js";
import { timeline } from "../job/timeline.js";
import { trainingPanels } from "../job/training.js";
import { trouble } from "../job/trouble.js";

export async function render(main, { id }, { signal }) {
  const job = await get(`/jobs/${part(id)}`, { signal });
  if (signal.aborted) return;
  let row = null;
  const connection = h("div");
  const head = heading({ onChange: () => row?.poke(), signal });
  const parts = [head, trouble(), timeline({ signal })];
  const isTraining = job.purpose === "distill";
  const curve = curves({ signal });
  const training = isTraining ? trainingPanels(job, { curve, signal }) : null;
  const result = otherKind(job.purpose, { signal });
  const spent = spending();
  const events = eventList();
  parts.push(...[training, result, spent].filter(Boolean));
  fill(
    main,
    head.element,
    connection,
    parts.slice(1, 3).map((each) => each.element),
    training?.element ?? result?.element,
    isTraining ? curve.element : null,
    h("div.columns", spent.element, events.element),
  );
  const show = (now) => {
    for (const each of parts) each.update(now);
  };
  show(job);

  const answers = [];
  const onEvents = (news) => {
    events.add(news);
    answers.push(...answersOf(news));
    if (news.some((each) => each.type === "teacher.progress")) curve.showAnswers(answers);
    training?.onEvents(news);
    row?.poke();
  };
  followEvents(job.id, { onEvents, signal });
  if (hasEnded(job)) return;
  const onTrouble = (error) => fill(connection, error ? problem(error) : null);
  row = followRow(job.id, { onJob: show, onTrouble, signal });
}

/** The points of the answers' curve: counts start anew where another attempt does. */
function answersOf(news) {
  return news
    .filter((each) => each.type === "teacher.progress")
    .map(({ at, data }) => ({
      at,
      answered: data.answered,
      cached: data.cached,
      usd: data.cost_usd ?? 0, // An earlier release told no money.
    }));
}
