// Deliveries: the log, filtered, page by page, or as it grows.

import { api, sourcesByName } from "../api.js";
import { fill, h } from "../dom.js";
import { badge, code, empty, filter, filters, head, into, link, notice, pager, table, tableRow, time, took } from "../parts.js";
import { DASH, clock, exactly, money, span, t, word } from "../words.js";
import { follow as followed } from "../tail.js";
import { retryAll } from "./jobs.js";

export const RECORDED = ["created", "updated", "unchanged", "ignored", "held", "fetching", "unfetched", "unreadable"];
const FIELDS = ["since", "until", "source_id", "outcome", "kind", "external_id", "contact", "q", "source_delivery_id", "note"];
const SPANS = ["1h", "24h", "7d", "30d"];
const MOST_LIVE = 200; // rows on the page while it grows

export async function deliveries(place) {
  const known = await sourcesByName(place.signal);
  const names = new Map(known.map((one) => [one.id, one.name]));
  const columns = columnsOf(names, place);
  const query = place.query;
  const chosen = () => Object.fromEntries(FIELDS.filter((name) => query.get(name)).map((name) => [name, query.get(name)]));
  const list = h("div", { class: "list", "aria-live": "off" });
  const live = h("button", { type: "button", class: "live", "aria-pressed": "false", onclick: () => (tail ? stop() : follow()) },
    h("i", { class: "pulse", "aria-hidden": "true" }), t("live"));
  const gap = h("p", { class: "notice warn", role: "status", hidden: true });
  let unshown = 0;
  let tail = null;

  function change(next) {
    for (const name of [...query.keys()]) query.delete(name);
    for (const [name, value] of Object.entries(next)) query.set(name, value);
    place.setQuery(query);
    if (tail) follow();
    else load();
  }

  async function load() {
    await into(list, async () => {
      let page = await api.get("/v1/deliveries", { ...chosen(), cursor: query.get("cursor") }, { signal: place.signal });
      // What matches seldom is looked for so many rows at a time: an empty page may have a next one.
      while (!page.data.length && page.next_cursor) {
        page = await api.get("/v1/deliveries", { ...chosen(), cursor: page.next_cursor }, { signal: place.signal });
      }
      const short = page.left_out && notice("warn", t("log.left.out"), " ", h("span", { class: "quiet", lang: "en" }, page.left_out));
      if (!page.data.length) return [short, nothing()];
      return [
        short,
        table(columns, page.data, { caption: t("deliveries"), key: (row) => row.id }),
        pager(page.next_cursor, query, (cursor) => change(cursor ? { ...chosen(), cursor } : chosen())),
      ];
    }, { signal: place.signal });
  }

  function nothing() {
    if (Object.keys(chosen()).length) {
      return empty(t("nothing.matches"), t("nothing.matches.text"), h("button", { type: "button", onclick: () => { bar.reset(); clearFields(bar); change({}); } }, t("clear.filters")));
    }
    return empty(t("deliveries.none"), t("deliveries.none.text"), place.may("sources") ? link("sources", t("sources.see"), { class: "button" }) : null);
  }

  async function follow() {
    stop();
    query.delete("cursor");
    live.disabled = true;
    await load();
    live.disabled = false;
    if (place.signal.aborted) return; // gone to another page meanwhile
    live.setAttribute("aria-pressed", "true");
    let first = true;
    tail = followed(chosen(), arrived, (now) => {
      live.classList.toggle("broken", now === "waiting");
      if (now === "live" && first) load(); // what came between the list and the stream
      first = false;
    }, missed);
  }

  function missed(count) {
    unshown = count === null || unshown === null ? null : unshown + count;
    fill(gap, unshown === null ? t("live.gap") : t("live.missed", { count: unshown }));
    gap.hidden = false;
  }

  function arrived(row) {
    let body = list.querySelector("tbody");
    if (!body) {
      fill(list, table(columns, [], { caption: t("deliveries"), key: (one) => one.id }));
      body = list.querySelector("tbody");
    }
    body.querySelector(`[data-key="${CSS.escape(row.id)}"]`)?.remove();
    const made = tableRow(columns, row, (one) => one.id);
    made.classList.add("new");
    body.prepend(made);
    while (body.children.length > MOST_LIVE) body.lastElementChild.remove();
  }

  function stop() {
    tail?.();
    tail = null;
    unshown = 0;
    gap.hidden = true;
    live.setAttribute("aria-pressed", "false");
  }

  place.signal.addEventListener("abort", stop);
  const bar = filters(fields(query, known, place.may("read")), query, change);
  const bulk = h("button", { type: "button", onclick: () => retryAll(chosen(), place, load) }, t("retry.all"));
  const made = [head(t("deliveries"), { actions: [bulk, live] }), bar, gap, list];
  await load();
  return made;
}

function clearFields(bar) {
  for (const one of bar.elements) if (one.name) one.value = "";
}

function fields(query, known, reads) {
  const at = (name) => query.get(name) ?? "";
  const spans = SPANS.includes(at("since")) || !at("since") ? SPANS : [...SPANS, at("since")];
  return [
    filter({ name: "q", label: t("filter.q"), value: at("q"), type: "search", "data-search": true, placeholder: t("filter.q.hint") }),
    filter({ name: "since", label: t("filter.since"), value: at("since"), options: [["", t("any.time")], ...spans.map((one) => [one, t(`range.${one}`)])] }),
    filter({ name: "source_id", label: t("source"), value: at("source_id"), options: [["", t("any")], ...known.map((one) => [one.id, one.name])] }),
    filter({ name: "outcome", label: t("outcome"), value: at("outcome"), options: [["", t("any")], ...RECORDED.map((one) => [one, word("outcome", one)])] }),
    filter({ name: "kind", label: t("kind"), value: at("kind"), placeholder: "orders/paid" }),
    filter({ name: "external_id", label: t("external.id"), value: at("external_id") }),
    filter({ name: "contact", label: t("contact"), value: at("contact"), placeholder: t(reads ? "contact.any.or.name" : "contact.any") }),
    filter({ name: "source_delivery_id", label: t("source.delivery.id"), value: at("source_delivery_id") }),
    filter({ name: "note", label: t("note"), value: at("note"), placeholder: "unknown_status" }),
    filter({ name: "until", label: t("filter.until"), value: at("until"), type: "date" }),
  ];
}

export function columnsOf(names, place) {
  return [
    { name: t("received"), class: "nowrap", cell: (row) => link(`deliveries/${row.id}`, time(row.received_at, clock)) },
    { name: t("source"), cell: (row) => names.get(row.source_id) ?? code(row.source_id) },
    { name: t("kind"), cell: (row) => (row.kind ? h("span", { class: "kind" }, row.kind) : DASH) },
    { name: t("outcome"), cell: (row) => badge("outcome", row.outcome) },
    { name: t("order"), class: "about", cell: (row) => ordered(row, place) },
    { name: t("reason"), class: "reason", cell: (row) => why(row) },
    { name: t("took"), right: true, class: "nowrap", cell: (row) => span(took(row)) },
  ];
}

/** The orders of a delivery: title, buyer, value. The live log, and who may not see orders, has the id alone. */
function ordered(row, place) {
  if (!row.about?.length) return code(row.external_id);
  return row.about.map((one) => h("div", {}, place.may("read") ? link(`orders/${one.order_id}`, one.title ?? row.external_id, { class: "strong" }) : h("strong", {}, one.title ?? row.external_id),
    h("span", { class: "sub" }, [one.buyer, money(one.value, one.currency), row.about.length === 1 && row.external_id].filter(Boolean).join(" · "))));
}

function why(row) {
  const notes = (row.notes ?? []).map((one) => h("span", { class: "tag" }, word("note", one)));
  if (row.repeats) notes.push(h("span", { class: "tag", title: exactly(row.last_repeated_at) }, t("repeats.times", { count: row.repeats })));
  if (!row.reason && !notes.length) return DASH;
  return [row.reason, notes.length ? " " : null, notes];
}
