// Long work: how far it is, until it is done.

import { api, part } from "../api.js";
import { fill, h } from "../dom.js";
import { failure } from "../parts.js";
import { t } from "../words.js";

const EVERY = 700; // milliseconds between two looks
const OVER = new Set(["done", "failed", "canceled", "cancelled", "ended"]);

/** A bar that follows a job to its end. */
export function progress(job, place) {
  const bar = h("progress", { max: "100", "aria-label": t("job") });
  const said = h("p", { role: "status" });
  const box = h("div", { class: "job" }, bar, said);

  function show(now) {
    const { done = 0, total = null } = now;
    if (total) {
      bar.max = total;
      bar.value = done;
    }
    said.textContent = t(OVER.has(now.state) ? "job.over" : "job.running", { done, total: total ?? done });
    box.dataset.state = now.state;
  }

  async function look() {
    if (place.signal.aborted || !box.isConnected) return;
    try {
      const now = await api.get(`/v1/jobs/${part(job.id ?? job.job_id)}`, {}, { signal: place.signal });
      show(now);
      if (!OVER.has(now.state)) setTimeout(look, EVERY);
    } catch (error) {
      if (error.name !== "AbortError") fill(box, failure(error, look));
    }
  }

  show(job);
  setTimeout(look, 50);
  return box;
}
