// Contacts: found through any identity; one with everything they bought.

import { api, everything, part } from "../api.js";
import { stacked } from "../chart.js";
import { fill, h, safeAddress } from "../dom.js";
import { badge, choices, copyable, dialog, empty, facts, field, filters, form, head, into, link, notice, section, table, tell, time } from "../parts.js";
import { DASH, date, decimals, local, money, number, roughly, t, word } from "../words.js";
import { given, history } from "./orders.js";

const KINDS = ["email", "phone", "document", "crm_id"];
const MOST = 1000; // orders on a contact's page
const LATELY = 6;
const AT_FIRST = 15; // orders of a contact that are shown before all are asked for
const MONTHS = 12;

export async function contacts(place) {
  const query = place.query;
  const list = h("div", { class: "list" });
  const box = field({ name: "word", label: t("contact.find"), value: query.get("word") ?? "", type: "search", "data-search": true, placeholder: t("contact.find.hint"), wide: true });
  const kind = field({ name: "kind", label: t("contact.by"), value: query.get("kind") ?? "", options: [["", t("contact.by.looks")], ...KINDS.map((one) => [one, t(`by.${one}`)])] });
  const bar = filters([box, kind, h("button", { type: "submit", class: "primary" }, t("find"))], query, (wanted) => {
    for (const name of [...query.keys()]) query.delete(name);
    for (const [name, value] of Object.entries(wanted)) query.set(name, value);
    place.setQuery(query);
    load();
  });
  bar.classList.add("find");

  async function load() {
    const text = query.get("word");
    await into(list, async () => (text ? result(text) : lately(place)), { signal: place.signal });
  }

  async function result(text) {
    if (text.startsWith("cnt_")) {
      place.go(`contacts/${part(text)}`, { replace: true });
      return null;
    }
    const by = query.get("kind") || "q";
    const told = await api.get("/v1/contacts", { [by]: text }, { signal: place.signal });
    if (!told.data.length) return empty(t("contact.nobody"), t("contact.nobody.text", { by: t(`by.${by}`) }));
    return told.data.map(card);
  }

  await load();
  return [head(t("contacts"), { actions: place.may("manage") ? [link("contacts/duplicates", t("dup"), { class: "button" })] : [] }), bar, list];
}

/** Whoever ordered last. */
async function lately(place) {
  const told = await api.get("/v1/orders", { limit: 50 }, { signal: place.signal });
  const ids = [...new Set(told.data.map((row) => row.contact_id).filter(Boolean))].slice(0, LATELY);
  if (!ids.length) return empty(t("contacts.none"), t("contacts.none.text"));
  const found = await Promise.all(ids.map((id) => api.get(`/v1/contacts/${part(id)}`, {}, { signal: place.signal })));
  return section(t("contacts.lately"), h("div", { class: "people" }, found.map(card)));
}

function card(one) {
  return h("article", { class: "card person" },
    h("h3", {}, link(`contacts/${part(one.id)}`, one.name ?? t("nameless"))),
    h("p", { class: "quiet small" }, one.identities.filter((known) => !["crm", "source"].includes(known.kind)).slice(0, 3).map((known) => known.value).join(" · ") || one.crm_id || one.id));
}

export async function contact(place) {
  const id = part(place.params.id);
  const made = await page(id, place, { panel: false });
  return made;
}

/** Everything about a contact; in the panel without the console's own links. */
export async function page(id, place, { panel }) {
  const [one, sums, bought] = await Promise.all([
    api.get(`/v1/contacts/${id}`, {}, { signal: place.signal }),
    api.get(`/v1/contacts/${id}/summary`, {}, { signal: place.signal }),
    everything(`/v1/contacts/${id}/orders`, {}, { most: MOST, signal: place.signal }),
  ]);
  const known = one.identities.filter((each) => each.kind !== "crm");
  const reached = known.filter((each) => each.kind !== "source");
  return [
    head(one.name ?? t("nameless"), {
      back: panel ? null : ["contacts", t("contacts")],
      lead: reached.map((each) => each.value).join(" · ") || null,
      actions: panel ? [] : [
        place.may("person") && h("button", { type: "button", class: "grave", onclick: () => erase(one, place) }, t("erase")),
        place.may("manage") && link(`orders/new?contact=${part(one.crm_id ?? one.id)}`, t("order.new"), { class: "button primary" })],
    }),
    h("div", { class: panel ? null : "pair wide-left" },
      h("div", {},
        sums.currencies.length > 0 && h("div", { class: "totals" }, sums.currencies.map(totals)),
        bought.rows.length > 0 && section(t("over.time"), overTime(bought.rows)),
        section(t("purchases"), bought.more && notice("calm", t("only.latest", { count: bought.rows.length })),
          bought.rows.length ? timeline(bought.rows, place, panel) : empty(t("purchases.none"), t("purchases.none.text")))),
      !panel && h("aside", { class: "side-facts" }, section(t("facts"), facts([
        [t("contact"), copyable(one.id)], [t("crm.id"), one.crm_id && copyable(one.crm_id)], [t("owner"), one.owner_name ?? one.owner_id],
        ...known.map((each) => [word("identity", each.kind), each.value]),
        [t("made"), time(one.created_at)], [t("updated"), time(one.updated_at)],
      ])))),
  ];
}

/** Says what an erasure takes, and whom its identities are shared with, before it is confirmed. */
async function erase(one, place) {
  const path = `/v1/contacts/${part(one.id)}`;
  const would = await api.delete(path, { query: { dry_run: true }, signal: place.signal });
  const others = [...new Set(would.identities.flatMap((each) => each.shared_with))];
  const names = new Map(await Promise.all(others.map(async (id) => [id, (await api.get(`/v1/contacts/${part(id)}`, {}, { signal: place.signal })).name])));
  dialog(t("erase.of", { name: one.name ?? one.id }), (close) => form([], {
    before: [
      h("p", {}, t("erase.text")),
      h("h3", {}, t("erase.takes")),
      facts(Object.entries(would.counts).filter(([, many]) => many).map(([what, many]) => [word("erase", what), number(many)])),
      would.identities.length > 0 && table([
        { name: t("erase.identity"), cell: (each) => [h("span", { class: "quiet" }, word("identity", each.kind)), " ", each.value] },
        { name: t("erase.shared"), cell: (each) => (each.shared_with.length ? each.shared_with.map((id, at) => [at > 0 && ", ", link(`contacts/${part(id)}`, names.get(id) ?? id, { target: "_blank" })]) : t("erase.nobody")) },
      ], would.identities, { caption: t("erase.identity"), plain: true }),
    ],
    submit: t("erase.do"), grave: true, oncancel: close, onsubmit: async () => {
      await api.delete(path);
      close();
      tell(t("erased"));
      place.go("contacts");
    },
  }));
}

function totals(sum) {
  const amount = (value) => money(value, sum.currency);
  return h("article", { class: "card total" },
    h("h2", {}, h("span", { class: "quiet small" }, t("net"), " · ", sum.currency), h("strong", {}, amount(sum.net))),
    facts([
      [t("orders"), `${number(sum.orders)} · ${t("paid.orders", { count: sum.paid_orders })}`], [t("gross"), amount(sum.gross)], [t("refunded"), /[1-9]/.test(sum.refunded) ? amount(sum.refunded) : DASH],
      [t("open"), /[1-9]/.test(sum.open) ? amount(sum.open) : DASH], [t("average"), amount(sum.average_order_value)],
      [t("last.paid"), time(sum.last_paid_at, (iso) => date(iso))],
    ]));
}

const BOUGHT = new Set(["paid", "partially_paid", "refunded"]);

/** What was bought, month by month, one currency at a time: they are never added up. */
function overTime(rows) {
  const counted = rows.filter((row) => BOUGHT.has(row.status) && !row.test && row.ordered_at);
  const currencies = [...new Set(counted.map((row) => row.currency))];
  const place = h("div", {});
  if (!currencies.length) return h("p", { class: "quiet" }, t("over.time.none"));
  const draw = (currency) => {
    fill(place, currencies.length > 1 && choices(t("currency"), currencies.map((one) => [one, one]), currency, draw),
      drawn(counted.filter((row) => row.currency === currency), currency));
  };
  draw(currencies[0]);
  return place;
}

function drawn(rows, currency) {
  const places = Math.max(...rows.map((row) => decimals(row.value)));
  const minor = (text) => Number(text.replace(".", "")); // a sum of a person's orders is far below 2^53
  const months = new Map();
  const [year, number] = rows.map((row) => key(row.ordered_at)).sort().at(-1).split("-").map(Number);
  for (let back = MONTHS - 1; back >= 0; back -= 1) {
    const month = new Date(Date.UTC(year, number - 1 - back, 1)).toISOString();
    months.set(month.slice(0, 7), { month, values: { net: 0, refunded: 0 } });
  }
  for (const row of rows) {
    const slot = months.get(key(row.ordered_at));
    if (!slot) continue;
    slot.values.refunded += minor(row.refunded_value);
    slot.values.net += Math.min(minor(row.paid_value), minor(row.value)) - minor(row.refunded_value);
  }
  const bars = [...months.values()].map((slot) => ({ ...slot,
    label: date(slot.month, { month: "short", timeZone: "UTC" }), full: date(slot.month, { month: "long", year: "numeric", timeZone: "UTC" }) }));
  const tell = (value) => money((value / 10 ** places).toFixed(places), currency);
  return stacked({ bars, parts: [["net", t("net")], ["refunded", t("refunded")]], title: t("over.time"), kind: "sum", tell, width: 600, height: 190,
    tick: (value) => roughly(value / 10 ** places, currency) });
}

/** The month of the account's calendar: 2026-11. */
const key = (iso) => local(iso).slice(0, 7);

/** The purchases by month; the latest at first, all of them when asked. */
function timeline(rows, place, panel) {
  const box = h("div", { class: "timeline" });
  const draw = (most) => fill(box, months(rows.slice(0, most), place, panel), rows.length > most
    && h("p", {}, h("button", { type: "button", onclick: () => draw(rows.length) }, t("show.all", { count: rows.length }))));
  draw(AT_FIRST);
  return box;
}

function months(rows, place, panel) {
  const groups = new Map();
  for (const row of rows) {
    const month = row.ordered_at ? date(row.ordered_at, { month: "long", year: "numeric" }) : DASH;
    groups.set(month, [...(groups.get(month) ?? []), row]);
  }
  return [...groups].map(([month, list]) => h("section", {}, h("h3", {}, month),
    h("ol", {}, list.map((row) => entry(row, place, panel)))));
}

function entry(row, place, panel) {
  const past = h("div", {});
  const url = row.url && safeAddress(row.url);
  const name = row.title ?? row.external_id;
  return h("li", { class: `entry status-${row.status}` },
    h("div", { class: "line" },
      h("div", { class: "what" },
        h("p", { class: "name" }, panel ? h("strong", {}, name) : link(`orders/${row.id}`, name, { class: "strong" }), row.test && h("span", { class: "tag" }, t("test"))),
        h("p", { class: "quiet small" }, time(row.ordered_at, (iso) => date(iso)), " · ", word("origin", row.origin), " · ", row.external_id,
          url && [" · ", h("a", { href: url, rel: "noopener noreferrer", target: "_blank" }, t("address.open"))])),
      badge("status", row.status),
      h("p", { class: "amount" }, money(row.value, row.currency), given(row) !== DASH && h("span", { class: "sub" }, t("minus.refunded", { value: given(row) })))),
    h("details", { ontoggle: (event) => {
      if (event.target.open && !past.hasChildNodes()) {
        into(past, async () => history((await api.get(`/v1/orders/${part(row.id)}/history`, {}, { signal: place.signal })).data, panel ? null : place), { signal: place.signal });
      }
    } }, h("summary", {}, t("history")), past));
}
