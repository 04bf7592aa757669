// Long work: bulk retries and remaps, followed to their end, and what they changed.

import { api, everything, part } from "../api.js";
import { fill, h } from "../dom.js";
import { dialog, empty, explain, failure, field, form, link, notice, tell } from "../parts.js";
import { t, word } from "../words.js";
import { shown } from "./delivery.js";

const EVERY = 500; // milliseconds between two looks
const MOST_SHOWN = 200; // changes of a remap on the page; the command line has all of them
const OVER = new Set(["done", "stopped", "failed"]);

/** A bar that follows a job to its end; `then(job, box)` when it is there. */
export function progress(id, place, then = () => {}) {
  const bar = h("progress", { max: "1", value: 0, "aria-label": t("job") });
  const said = h("p", { role: "status" }, t("job.begun"));
  const halt = h("button", { type: "button", onclick: async () => {
    await api.post(`/v1/jobs/${part(id)}/stop`).catch((error) => tell(explain(error), "bad"));
  } }, t("job.stop"));
  const box = h("div", { class: "job" }, bar, said, h("div", { class: "buttons" }, halt));

  async function look() {
    if (place.signal.aborted || !box.isConnected) return;
    try {
      const job = await api.get(`/v1/jobs/${part(id)}`, {}, { signal: place.signal });
      bar.max = Math.max(job.total, 1);
      bar.value = OVER.has(job.state) && !job.total ? 1 : job.done;
      said.textContent = t(`job.${job.state}`, { done: job.done, total: job.total, changed: job.changed, failed: job.failed });
      box.dataset.state = job.state;
      if (!OVER.has(job.state)) return void setTimeout(look, EVERY);
      halt.remove();
      if (job.reason || job.failures.length) box.append(notice("warn", job.reason, job.failures.map((one) => h("p", {}, `${one.count} × ${one.reason}`))));
      then(job, box);
    } catch (error) {
      if (error.name !== "AbortError") fill(box, failure(error, look));
    }
  }

  setTimeout(look, 0);
  return box;
}

/** Everything that the filter matches, taken up again: counted first, then for real. */
export function retryAll(filter, place, done) {
  dialog(t("retry.all"), (close) => {
    const inside = h("div", {}, h("p", { class: "waiting" }, t("counting")));
    const ready = () => h("div", { class: "buttons" }, h("button", { type: "button", class: "primary", onclick: close }, t("close")));
    api.post("/v1/deliveries/retry", { filter, dry_run: true }).then(({ count }) => {
      if (!count) return fill(inside, h("p", {}, t("retry.none")), ready());
      return fill(inside, form([], {
        before: h("p", {}, t("retry.count", { count })), submit: t("retry.do", { count }), oncancel: close,
        onsubmit: async () => {
          const begun = await api.post("/v1/deliveries/retry", { filter, dry_run: false });
          fill(inside, progress(begun.job_id, place, (job, box) => { box.append(ready()); done(); }));
        },
      }));
    }).catch((error) => fill(inside, failure(error)));
    return inside;
  });
}

/** A source's recorded deliveries through today's adapter: what would change first, then for real. */
export function remap(source, place) {
  dialog(t("remap"), (close) => {
    const inside = h("div", {});
    const begin = async (given, dry) => {
      const begun = await api.post("/v1/remap", { source_id: source.id, ...(given.since ? { since: given.since } : {}), dry_run: dry });
      fill(inside, progress(begun.job_id, place, (job, box) => (dry ? compare(job, given) : after(box))));
    };
    const after = (box) => box.append(h("div", { class: "buttons" }, h("button", { type: "button", class: "primary", onclick: close }, t("close"))));
    const compare = async (job, given) => {
      if (job.state !== "done") return;
      const { rows, more } = await everything(`/v1/jobs/${part(job.id)}/changes`, { kind: "order" }, { most: MOST_SHOWN, signal: place.signal });
      fill(inside,
        rows.length ? h("div", { class: "changes" }, rows.map(difference)) : empty(t("remap.nothing"), t("remap.nothing.text")),
        more && notice("calm", t("remap.more", { count: rows.length })),
        rows.length > 0 && form([], { submit: t("remap.do", { count: job.changed }), oncancel: close, onsubmit: () => begin(given, false) }));
    };
    fill(inside, form([field({ name: "since", label: t("filter.since"), value: "", options: [["", t("any.time")], ["24h", t("range.24h")], ["7d", t("range.7d")], ["30d", t("range.30d")]] })],
      { before: h("p", {}, t("remap.text")), submit: t("remap.try"), oncancel: close, onsubmit: (given) => begin(given, true) }));
    return inside;
  });
}

function difference(one) {
  const currency = one.fields.currency?.after ?? one.fields.currency?.before;
  return h("div", { class: "sub-card" },
    h("h3", {}, one.id ? link(`orders/${one.id}`, one.external_id ?? one.id) : one.external_id, h("span", { class: "tag" }, t(`change.${one.change}`))),
    h("ul", { class: "said" }, Object.entries(one.fields).map(([name, values]) => h("li", {}, h("span", { class: "quiet" }, word("field", name)), " ",
      values && [one.change === "changed" && [h("span", { class: "was" }, shown(name, values.before, currency)), " → "],
        h("span", { class: "is" }, shown(name, one.change === "removed" ? values.before : values.after, currency))]))));
}
