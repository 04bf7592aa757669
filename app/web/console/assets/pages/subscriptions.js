// Subscriptions: who is sent events; made, tried, sent again, rotated, turned off, and what came of each attempt.

import { api, part, sourcesByName } from "../api.js";
import { h } from "../dom.js";
import { checks, code, confirm, copyable, dialog, empty, explain, facts, field, form, head, into, link, notice, pager, section, since, table, tell, ticked, time } from "../parts.js";
import { DASH, Wrong, clock, local, number, read, span, t, word, written } from "../words.js";
import { STATUSES } from "./orders.js";
import { secretsOf, shownOnce } from "./secrets.js";

const EVENTS = ["order.created", "order.updated", "order.status_changed", "contact.erased", "source.failing", "source.recovered"];
const LOOKS = { working: "outcome-created", failing: "outcome-unreadable", off: "outcome-disabled" };

const state = (one) => h("span", { class: `badge ${LOOKS[one.state]}` }, t(`subscription.${one.state}`));
const chips = (words) => words.map((one) => h("code", { class: "chip" }, one));

export async function subscriptions(place) {
  const page = await api.get("/v1/subscriptions", { limit: 100 }, { signal: place.signal });
  const add = place.may("subscriptions") && link("subscriptions/new", t("subscription.add"), { class: "button primary" });
  return [
    head(t("subscriptions"), { lead: t("subscriptions.lead"), actions: [add] }),
    page.data.length ? table([
      { name: t("address"), cell: (one) => link(`subscriptions/${one.id}`, one.url, { class: "strong" }) },
      { name: t("state"), cell: (one) => [state(one), one.failing_since && h("span", { class: "sub" }, since(one.failing_since))] },
      { name: t("events"), cell: (one) => chips(one.events) },
      { name: t("waiting"), right: true, cell: (one) => number(one.waiting) },
      { name: t("last.sent"), cell: (one) => (one.last_sent_at ? since(one.last_sent_at) : h("span", { class: "quiet" }, t("never"))) },
    ], page.data, { caption: t("subscriptions"), key: (one) => one.id }) : empty(t("subscriptions.none"), t("subscriptions.none.text"), add),
  ];
}

// -- made and edited ----------------------------------------------------------------------------------------------

export async function subscriptionNew(place) {
  const fields = await fieldsOf({ events: EVENTS.slice(0, 3), filter: {}, headers: [] }, place);
  return [
    head(t("subscription.add"), { back: ["subscriptions", t("subscriptions")], lead: t("subscription.add.text") }),
    form(fields, { submit: t("subscription.make"), oncancel: () => place.go("subscriptions"), onsubmit: async (given, element) => {
      const made = await api.post("/v1/subscriptions", bodyOf(given, element));
      place.go(`subscriptions/${made.id}`);
      if (made.secret) shownOnce(made.secret);
    } }),
  ];
}

async function edit(one, place) {
  const fields = await fieldsOf(one, place);
  dialog(t("edit"), (close) => form(fields, { submit: t("save"), oncancel: close, onsubmit: async (given, element) => {
    const body = bodyOf(given, element);
    if (given["headers.none"]) body.headers = {};
    await api.patch(`/v1/subscriptions/${part(one.id)}`, { filter: {}, ...body });
    close();
    tell(t("saved"));
    place.redraw();
  } }));
}

async function fieldsOf(one, place) {
  const only = one.filter;
  const known = await sourcesByName(place.signal);
  return [
    field({ name: "url", label: t("address"), type: "url", value: one.url, required: true, wide: true, maxlength: 2000, placeholder: "https://", hint: t("subscription.url.hint") }),
    checks({ name: "events", label: t("events"), options: EVENTS.map((event) => [event, event]), chosen: one.events }),
    checks({ name: "filter.status", label: t("subscription.status"), options: STATUSES.map((name) => [name, word("status", name)]), chosen: only.status ?? [], hint: t("subscription.any") }),
    known.length > 0 && checks({ name: "filter.source_id", label: t("subscription.sources"), options: known.map((source) => [source.id, source.name]), chosen: only.source_id ?? [], hint: t("subscription.any") }),
    field({ name: "filter.currency", label: t("subscription.currencies"), value: (only.currency ?? []).join(" "), placeholder: "BRL USD" }),
    field({ name: "filter.minimum_value", label: t("subscription.minimum"), value: written(only.minimum_value), inputmode: "decimal", hint: t("subscription.minimum.hint") }),
    field({ name: "filter.include_test", label: t("subscription.tests"), type: "check", value: only.include_test ?? true, wide: true }),
    field({ name: "headers", label: t("subscription.headers"), type: "area", wide: true, spellcheck: "false", placeholder: "X-Key: …", hint: t(one.headers?.length ? "subscription.headers.there" : "subscription.headers.hint", { names: (one.headers ?? []).join(", ") }) }),
    one.headers?.length > 0 && field({ name: "headers.none", label: t("subscription.headers.none"), type: "check", wide: true }),
  ].filter(Boolean);
}

/** What the API takes, of what was filled in. What is empty is left out. */
function bodyOf(given, element) {
  const filter = {};
  for (const name of ["status", "source_id"]) {
    const chosen = ticked(element, `filter.${name}`);
    if (chosen.length) filter[name] = chosen;
  }
  const currency = given["filter.currency"].toUpperCase().split(/[\s,;]+/).filter(Boolean);
  if (currency.length) filter.currency = currency;
  if (given["filter.minimum_value"]) filter.minimum_value = read(given["filter.minimum_value"], "filter.minimum_value");
  if (!given["filter.include_test"]) filter.include_test = false;
  const body = { url: given.url, events: ticked(element, "events") };
  if (Object.keys(filter).length) body.filter = filter;
  if (given.headers) body.headers = headersOf(given.headers);
  return body;
}

function headersOf(text) {
  const headers = {};
  for (const line of text.split("\n").map((one) => one.trim()).filter(Boolean)) {
    const at = line.indexOf(":");
    if (at < 1) throw new Wrong("headers", t("subscription.headers.wrong"));
    headers[line.slice(0, at).trim()] = line.slice(at + 1).trim();
  }
  return headers;
}

// -- one ----------------------------------------------------------------------------------------------------------

export async function subscription(place) {
  const path = `/v1/subscriptions/${part(place.params.id)}`;
  const one = await api.get(path, {}, { signal: place.signal });
  const keeps = place.may("subscriptions");
  const tried = h("div", { "aria-live": "polite" });
  const list = h("div", { class: "list" });
  const load = () => into(list, () => attempts(path, place, load), { signal: place.signal });
  await load();
  return [
    head(h("span", {}, one.url, " ", state(one)), {
      back: ["subscriptions", t("subscriptions")], lead: chips(one.events),
      actions: keeps ? [
        h("button", { type: "button", class: "primary", onclick: (event) => test(path, tried, event.target, load) }, t("subscription.test")),
        h("button", { type: "button", disabled: !one.enabled, onclick: () => resend(path, load) }, t("subscription.resend")),
        h("button", { type: "button", onclick: () => edit(one, place) }, t("edit")),
        h("button", { type: "button", onclick: () => turn(path, one, place) }, t(one.enabled ? "turn.off" : "turn.on")),
      ] : [],
    }),
    one.state === "failing" && notice("bad", t("subscription.failing.text"), " ", since(one.failing_since), " ", h("span", { class: "quiet" }, one.failing_reason)),
    one.state === "off" && one.off_reason && notice("bad", t("subscription.ended"), " ", h("span", { class: "quiet" }, one.off_reason)),
    tried,
    section(t("facts"), facts([
      [t("subscription"), copyable(one.id)],
      [t("waiting"), [number(one.waiting), one.oldest_waiting_at ? [" · ", t("figure.oldest"), " ", since(one.oldest_waiting_at)] : null]],
      [t("last.sent"), one.last_sent_at ? since(one.last_sent_at) : t("never")],
      [t("subscription.filter"), Object.keys(one.filter).length ? code(JSON.stringify(one.filter)) : t("subscription.all")],
      [t("subscription.headers"), one.headers?.length ? chips(one.headers) : null],
      [t("made"), time(one.created_at)],
    ])),
    section(t("secrets"), keeps ? secretsOf(path, one.secrets, place) : h("p", {}, t("secrets.count", { count: one.secrets.length }))),
    section(t("attempts"), list),
    keeps && h("p", {}, h("button", { type: "button", class: "grave", onclick: () => confirm(t("subscription.delete"), t("subscription.delete.text"), t("subscription.delete"), async () => {
      await api.delete(path);
      place.go("subscriptions");
    }) }, t("subscription.delete"))),
  ];
}

async function attempts(path, place, load) {
  const page = await api.get(`${path}/attempts`, { cursor: place.query.get("cursor") }, { signal: place.signal });
  if (!page.data.length) return h("p", { class: "quiet" }, t("attempts.none"));
  return [table([
    { name: t("time"), class: "nowrap", cell: (row) => time(row.at, clock) },
    { name: t("kind"), cell: (row) => h("span", { class: "kind" }, row.type) },
    { name: t("order"), cell: (row) => (row.order_id ? (place.may("read") ? link(`orders/${row.order_id}`, t("see")) : code(row.order_id)) : DASH) },
    { name: t("attempt"), right: true, cell: (row) => number(row.number) },
    { name: t("outcome"), cell: (row) => h("span", { class: `badge ${row.delivered ? "outcome-created" : "outcome-unreadable"}` }, row.status ?? t(row.delivered ? "attempt.taken" : "attempt.failed")) },
    { name: t("reason"), class: "reason", cell: (row) => row.reason ?? DASH },
    { name: t("attempt.next"), class: "nowrap", cell: (row) => (row.next_at ? time(row.next_at, clock) : DASH) },
    { name: t("took"), right: true, class: "nowrap", cell: (row) => span(row.took_ms) },
  ], page.data, { caption: t("attempts"), key: (row) => row.id }),
  pager(page.next_cursor, place.query, (cursor) => {
    if (cursor) place.query.set("cursor", cursor);
    else place.query.delete("cursor");
    place.setQuery(place.query);
    load();
  })];
}

async function test(path, place, press, load) {
  press.disabled = true;
  try {
    const told = await api.post(`${path}/test`);
    place.replaceChildren(told.delivered ? notice("good", t("subscription.taken", { took: span(told.took_ms) }))
      : notice("bad", t("subscription.not.taken"), " ", h("span", { class: "quiet" }, told.reason)));
    await load();
  } catch (error) {
    place.replaceChildren(notice("bad", explain(error)));
  } finally {
    press.disabled = false;
  }
}

function resend(path, load) {
  dialog(t("subscription.resend"), (close) => form([
    field({ name: "since", label: t("filter.from"), type: "datetime-local", required: true, value: local(new Date(Date.now() - 86_400_000).toISOString()) }),
    field({ name: "until", label: t("filter.until"), type: "datetime-local" }),
  ], { before: h("p", {}, t("subscription.resend.text")), submit: t("subscription.resend.do"), oncancel: close, onsubmit: async (given) => {
    const told = await api.post(`${path}/resend`, given.until ? given : { since: given.since });
    close();
    tell(t("subscription.resent", { count: told.events }));
    await load();
  } }));
}

async function turn(path, one, place) {
  const act = async () => {
    await api.patch(path, { enabled: !one.enabled });
    place.redraw();
  };
  if (one.enabled) confirm(t("turn.off"), t("subscription.off.text"), t("turn.off"), act);
  else await act().catch((error) => tell(explain(error), "bad"));
}
