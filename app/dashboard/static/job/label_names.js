// The names of a job's labels: a job that uses another one's answers does not tell them itself.

import { get } from "../api.js";

export async function labelNames(job, { signal } = {}) {
  let asked = job;
  while (!asked.request.labels && asked.from_job) {
    asked = await get(`/jobs/${asked.from_job}`, { signal });
  }
  return (asked.request.labels ?? []).map((label) => label.name);
}
