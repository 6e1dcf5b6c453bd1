// What a report is composed of: the job's own, and those of other students of the same answers.

import { all, get, part } from "../api.js";

// More students than this make no table that anybody reads.
const MOST_COMPARED = 6;
const MOST_DISAGREEMENTS = 100;

/** {report, job, compared, disagreements}; each of `compared` has a report of its own. */
export async function gather(id, { signal } = {}) {
  const [report, job] = await Promise.all([
    get(`/jobs/${part(id)}/report`, { signal }),
    get(`/jobs/${part(id)}`, { signal }),
  ]);
  const [compared, disagreements] = await Promise.all([
    relatives(job, report, { signal }),
    readDisagreements(job.id, report, { signal }),
  ]);
  return { report, job, compared, disagreements };
}

async function relatives(job, report, { signal }) {
  const own = {
    name: job.name,
    selection: report.selection,
    isThis: true,
    report,
    difference: null,
  };
  const query = { dataset_id: job.dataset_id, state: "succeeded" };
  const jobs = await all("/jobs", { query, most: 200, signal });
  // A student of all labels is asked for by name: it is there, however many others are newer.
  const isOfAll = (each) => each.request.selection?.kind === "all";
  const relations = family(jobs, job).sort((one, other) => isOfAll(other) - isOfAll(one));
  const related = relations.slice(0, MOST_COMPARED - 1);
  const others = await Promise.all(related.map((each) => compareWith(job, each, { signal })));
  return [own, ...others.filter(Boolean)];
}

/** One other student beside the job's own; null where a difference would say nothing. */
async function compareWith(job, other, { signal }) {
  const query = { ids: `${job.id},${other.id}` };
  const [told, report] = await Promise.all([
    get("/jobs/compare", { query, signal }),
    get(`/jobs/${other.id}/report`, { signal }),
  ]);
  const { difference } = told.data[1];
  // Answers that a person corrected are others, but the gold that measures is the same.
  if (!told.same_answers && !difference) return null;
  return { name: other.name, selection: report.selection, isThis: false, report, difference };
}

/** The other jobs that lead, by `from_job`, to the same answers. */
function family(jobs, job) {
  const known = new Map(jobs.map((each) => [each.id, each]));
  const rootOf = (each) => {
    let root = each;
    while (root.from_job && known.has(root.from_job)) root = known.get(root.from_job);
    return root.from_job ?? root.id;
  };
  const root = rootOf(job);
  return jobs.filter(
    (each) => each.id !== job.id && each.purpose === "distill" && rootOf(each) === root,
  );
}

async function readDisagreements(id, report, { signal }) {
  if (!report.disagreements) return null;
  try {
    const query = { limit: MOST_DISAGREEMENTS };
    return (await get(`/jobs/${id}/disagreements`, { query, signal })).data;
  } catch (error) {
    if (error.status === 410) return null; // The dataset was deleted, and its texts with it.
    throw error;
  }
}
