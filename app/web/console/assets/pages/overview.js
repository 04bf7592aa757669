// Overview: what came, what became of it, what is wrong, and what to press.

import { api, sourcesByName } from "../api.js";
import { stacked } from "../chart.js";
import { fill, h } from "../dom.js";
import { badge, choices, code, copyable, empty, head, link, section, since, sourceLink, table } from "../parts.js";
import { DASH, date, has, local, moment, number, span, t, word } from "../words.js";

const RANGES = { "24h": [24, 1], "7d": [168, 6], "30d": [720, 24] };
// From the bottom of a bar upwards: what went well, what waits, what went wrong.
export const OUTCOMES = ["created", "updated", "unchanged", "duplicate", "ignored", "held", "fetching", "unfetched",
  "unreadable", "unverified", "oversized", "disabled"];
const REFUSED = ["unverified", "oversized", "disabled"];

export async function overview(place) {
  const range = place.query.get("range") in RANGES ? place.query.get("range") : "24h";
  const [stats, known] = await Promise.all([
    api.get("/v1/stats", { since: range }, { signal: place.signal }),
    sourcesByName(place.signal),
  ]);
  const pick = choices(t("range"), Object.keys(RANGES).map((one) => [one, t(`range.${one}`)]), range, (chosen) => {
    place.setQuery(chosen === "24h" ? {} : { range: chosen });
    place.redraw();
  });
  if (!stats.sources.length) {
    return [head(t("overview"), { actions: [pick] }), empty(t("overview.empty.title"), t("overview.empty.text"),
      place.may("sources") ? link("sources/new", t("source.add"), { class: "button primary" }) : null)];
  }
  return [
    head(t("overview"), { lead: t("overview.lead", { since: moment(stats.since) }), actions: [pick] }),
    alerts(stats, known, place),
    figures(stats),
    section(t("deliveries.by.hour"), chart(stats, range)),
    section(t("sources"), sources(stats, place)),
    h("div", { class: "pair" },
      section(t("refused.by.reason"), refused(stats.sources, place)),
      section(t("unknown.status"), unknown(stats.sources, place))),
  ];
}

function alerts(stats, known, place) {
  if (!stats.alerts.length) return h("p", { class: "notice good", role: "status" }, t("alerts.none"));
  const sources = new Map(stats.sources.map((one) => [one.source_id, one]));
  const urls = new Map(known.map((one) => [one.id, one.webhook_url]));
  return h("section", { class: "section", "aria-label": t("alerts") }, h("h2", {}, t("alerts")),
    h("ul", { class: "alerts" }, stats.alerts.map((one) => {
      const source = sources.get(one.source_id);
      return h("li", { class: `notice ${one.severity === "critical" ? "bad" : "warn"}`, "data-code": one.code },
        h("div", {},
          h("p", { class: "what" }, source && [h("strong", {}, sourceLink(place, source.source_id, source.name)), ": "], message(one, source)),
          one.sources.length > 1 && h("details", {}, h("summary", {}, t("alert.which")), h("ul", {}, one.sources.map((each) => h("li", {}, sourceLink(place, each.id, each.name))))),
          h("p", { class: "advice" }, advice(one)),
          one.code === "never_received" && urls.has(one.source_id) && copyable(urls.get(one.source_id))),
        action(one, place));
    })));
}

/** What to do; a refusal for another reason than the secret has advice of its own. */
function advice(one) {
  const known = `alert.${one.code}${folded(one) ? ".many" : ""}.do`;
  return has(known) && (folded(one) || one.code !== "only_rejected" || one.reason === "signature_mismatch") ? t(known) : one.advice;
}

/** Whether it stands for several alerts of one code. */
const folded = (one) => one.count !== null && one.source_id === null;

/** What is wrong, in this language where its code is known; else as the API says it. */
function message(one, source) {
  if (folded(one)) return has(`alert.${one.code}.many`) ? t(`alert.${one.code}.many`, { count: one.count }) : one.message;
  if (!has(`alert.${one.code}`)) return one.message;
  return t(`alert.${one.code}`, {
    since: moment(one.since),
    why: one.reason ? reason(one.reason) : DASH,
    good: source?.last_good_at ? moment(source.last_good_at) : t("never"),
    words: (source?.unknown_status ?? []).slice(0, 5).map((known) => known.word).join(", "),
    count: one.count ?? undefined,
  });
}

function action(one, place) {
  if (!one.source_id) return null;
  if (one.code === "unknown_status") return link(`deliveries?source_id=${one.source_id}`, t("alert.log"), { class: "button small" });
  if (!place.may("sources")) return null;
  if (one.code === "never_received") return link(`sources/${one.source_id}`, t("set.up"), { class: "button small" });
  return link(`sources/${one.source_id}`, t("alert.open"), { class: "button small" });
}

function figures(stats) {
  const counted = total(stats.hours);
  const turned = total(stats.hours.filter((one) => REFUSED.includes(one.outcome)));
  const { acknowledgement: fast, waiting } = stats;
  const card = (name, value, more = null) => h("div", { class: "figure-card" }, h("dt", {}, name), h("dd", {}, value), more && h("dd", { class: "more" }, more));
  return h("dl", { class: "cards" },
    card(t("figure.deliveries"), number(counted)),
    card(t("figure.refused"), counted ? number(turned) : DASH),
    card(t("figure.acknowledged"), fast.count ? span(fast.p50_ms) : DASH, fast.count ? t("figure.p99", { value: span(fast.p99_ms) }) : t("figure.unknown")),
    card(t("figure.fetches"), number(waiting.fetches), waiting.oldest_fetch_at && [t("figure.oldest"), " ", since(waiting.oldest_fetch_at)]),
    card(t("figure.held"), waiting.held ? link("deliveries?outcome=held", number(waiting.held)) : number(waiting.held)));
}

const total = (hours) => hours.reduce((sum, one) => sum + one.count, 0);

function chart(stats, range) {
  const [hours, step] = RANGES[range];
  const width = step * 3600_000;
  const last = floorHour(new Date(stats.until).getTime() - 1, step);
  const bars = [];
  for (let at = last - (hours / step - 1) * width; at <= last; at += width) bars.push({ at, values: {} });
  for (const one of stats.hours) {
    const bar = bars[Math.floor((new Date(one.hour).getTime() - bars[0].at) / width)];
    if (bar) bar.values[one.outcome] = (bar.values[one.outcome] ?? 0) + one.count;
  }
  for (const bar of bars) {
    const iso = new Date(bar.at).toISOString();
    bar.label = step === 1 ? date(iso, { hour: "2-digit", minute: "2-digit" }) : date(iso, { day: "2-digit", month: "2-digit" });
    bar.full = step === 24 ? date(iso, { dateStyle: "full" }) : date(iso, { dateStyle: "medium", timeStyle: "short" });
  }
  const seen = OUTCOMES.filter((name) => bars.some((bar) => bar.values[name]));
  if (!seen.length) return h("p", { class: "quiet" }, t("chart.nothing"));
  return stacked({ bars, parts: seen.map((name) => [name, word("outcome", name)]), title: t("deliveries.by.hour"), kind: "outcome",
    every: { "24h": 3, "7d": 4, "30d": 5 }[range] });
}

/** The beginning of the hour, or of the account's span of hours, in which a moment lies. */
function floorHour(at, step) {
  const hour = Math.floor(at / 3600_000) * 3600_000;
  return hour - (Number(local(new Date(hour).toISOString()).slice(11, 13)) % step) * 3600_000;
}

const MOST_SHOWN = 50; // sources at first; those with alerts come first

function sources(stats, place) {
  const alerted = new Set(stats.alerts.flatMap((one) => one.sources.map((each) => each.id)));
  const list = [...stats.sources].sort((a, b) => alerted.has(b.source_id) - alerted.has(a.source_id));
  const box = h("div", {}, sourceTable(list.slice(0, MOST_SHOWN), place));
  if (list.length <= MOST_SHOWN) return box;
  const all = h("button", { type: "button", onclick: () => { fill(box, sourceTable(list, place)); all.remove(); } }, t("sources.all", { count: list.length }));
  return [box, all];
}

function sourceTable(list, place) {
  return table([
    { name: t("source"), cell: (one) => [sourceLink(place, one.source_id, one.name, { class: "strong" }), h("span", { class: "sub" }, one.adapter)] },
    { name: t("last.received"), cell: (one) => (one.last_received_at ? since(one.last_received_at) : h("span", { class: "quiet" }, t("never"))) },
    { name: t("last.good"), cell: (one) => since(one.last_good_at) },
    { name: t("last.refused"), cell: (one) => since(one.last_refused_at) },
    { name: t("outcomes"), cell: (one) => tally(one) },
  ], list, { caption: t("sources"), key: (one) => one.source_id });
}

function tally(one) {
  const counted = Object.entries(one.by_outcome ?? {}).filter(([, count]) => count);
  if (!counted.length) return DASH;
  counted.sort(([a], [b]) => OUTCOMES.indexOf(a) - OUTCOMES.indexOf(b));
  return h("ul", { class: "tally" }, counted.map(([name, count]) => h("li", { title: name }, h("i", { class: `dot outcome-${name}` }),
    number(count), " ", h("span", { class: "quiet" }, word("outcome", name)))));
}

function refused(list, place) {
  const rows = list.flatMap((one) => (one.refused ?? []).map((row) => ({ ...row, source: one })));
  if (!rows.length) return h("p", { class: "quiet" }, t("refused.none"));
  rows.sort((a, b) => b.count - a.count);
  return table([
    { name: t("source"), cell: (one) => sourceLink(place, one.source.source_id, one.source.name) },
    { name: t("reason"), cell: (one) => [badge("outcome", one.outcome), " ", reason(one.reason)] },
    { name: t("count"), right: true, cell: (one) => number(one.count) },
    { name: t("last"), cell: (one) => since(one.last_at) },
  ], rows, { caption: t("refused.by.reason") });
}

/** A refusal's word, in words. */
export const reason = (name) => (has(`refusal.${name}`) ? t(`refusal.${name}`) : name);

function unknown(list, place) {
  const rows = list.flatMap((one) => (one.unknown_status ?? []).map((row) => ({ ...row, source: one })));
  if (!rows.length) return h("p", { class: "quiet" }, t("unknown.none"));
  return table([
    { name: t("source"), cell: (one) => sourceLink(place, one.source.source_id, one.source.name) },
    { name: t("status.word"), cell: (one) => code(one.word) },
    { name: t("count"), right: true, cell: (one) => number(one.count) },
    { name: t("last"), cell: (one) => since(one.last_at) },
  ], rows, { caption: t("unknown.status") });
}
