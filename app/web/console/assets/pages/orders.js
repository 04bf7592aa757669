// Orders: searched, made, edited; and one with its history.

import { api, part, sourcesByName } from "../api.js";
import { h, safeAddress } from "../dom.js";
import { badge, code, confirm, copyable, dialog, empty, facts, field, filter, filters, form, head, into, link, pager, section, sourceLink, table, tell, time } from "../parts.js";
import { DASH, date, local, money, moment, number, read, readMoney, spokenTime, t, word, written, zoneName } from "../words.js";
import { shown } from "./delivery.js";

export const STATUSES = ["pending", "paid", "partially_paid", "overdue", "refunded", "canceled", "failed"];
const ORIGINS = ["manual", "webhook", "api", "payments", "commerce"];
const FIELDS = ["q", "status", "origin", "source_id", "currency", "since", "until", "contact", "deal_id", "note"];

export async function orders(place) {
  const query = place.query;
  const known = place.may("log") ? await sourcesByName(place.signal) : [];
  const chosen = () => Object.fromEntries(FIELDS.filter((name) => query.get(name)).map((name) => [name, query.get(name)]));
  const list = h("div", { class: "list" });

  function change(next) {
    for (const name of [...query.keys()]) query.delete(name);
    for (const [name, value] of Object.entries(next)) query.set(name, value);
    place.setQuery(query);
    return load();
  }

  async function load() {
    await into(list, async () => {
      let page = await api.get("/v1/orders", { ...chosen(), cursor: query.get("cursor") }, { signal: place.signal });
      while (!page.data.length && page.next_cursor) { // a search looks through so many titles at a time
        page = await api.get("/v1/orders", { ...chosen(), cursor: page.next_cursor }, { signal: place.signal });
      }
      if (!page.data.length && Object.keys(chosen()).length) {
        return empty(t("nothing.matches"), t("nothing.matches.text"), h("button", { type: "button", onclick: () => {
          for (const one of bar.elements) if (one.name) one.value = "";
          change({});
        } }, t("clear.filters")));
      }
      if (!page.data.length) return empty(t("orders.none"), t("orders.none.text"), place.may("manage") ? link("orders/new", t("order.new"), { class: "button primary" }) : null);
      return [table(COLUMNS(), page.data, { caption: t("orders"), key: (row) => row.id }),
        pager(page.next_cursor, query, (cursor) => change(cursor ? { ...chosen(), cursor } : chosen()))];
    }, { signal: place.signal });
  }

  const at = (name) => query.get(name) ?? "";
  const any = ["", t("any")];
  const bar = filters([
    filter({ name: "q", label: t("orders.q"), value: at("q"), type: "search", "data-search": true, placeholder: t("orders.q.hint") }),
    filter({ name: "status", label: t("status"), value: at("status"), options: [any, ...STATUSES.map((one) => [one, word("status", one)])] }),
    filter({ name: "origin", label: t("origin"), value: at("origin"), options: [any, ...ORIGINS.map((one) => [one, word("origin", one)])] }),
    known.length ? filter({ name: "source_id", label: t("source"), value: at("source_id"), options: [any, ...known.map((one) => [one.id, one.name])] }) : null,
    filter({ name: "currency", label: t("currency"), value: at("currency"), maxlength: 3, placeholder: "BRL" }),
    filter({ name: "contact", label: t("contact"), value: at("contact"), placeholder: t("contact.any") }),
    filter({ name: "note", label: t("note"), value: at("note"), placeholder: "other_currency" }),
    filter({ name: "deal_id", label: t("deal"), value: at("deal_id") }),
    filter({ name: "since", label: t("filter.from"), value: at("since"), type: "date" }),
    filter({ name: "until", label: t("filter.until"), value: at("until"), type: "date" }),
  ], query, change);
  await load();
  return [head(t("orders"), { actions: place.may("manage") ? [link("orders/import", t("import"), { class: "button" }), link("orders/new", t("order.new"), { class: "button primary" })] : [] }), bar, list];
}

const COLUMNS = () => [
  { name: t("ordered"), class: "nowrap", cell: (row) => time(row.ordered_at, (iso) => date(iso)) },
  { name: t("order"), cell: (row) => [link(`orders/${row.id}`, row.title ?? row.external_id, { class: "strong" }), " ", row.test && h("span", { class: "tag" }, t("test")), h("span", { class: "sub" }, row.external_id)] },
  { name: t("status"), cell: (row) => badge("status", row.status) },
  { name: t("value"), right: true, class: "nowrap", cell: (row) => money(row.value, row.currency) },
  { name: t("refunded"), right: true, class: "nowrap", cell: (row) => given(row) },
  { name: t("source"), cell: (row) => row.source_name ?? word("origin", row.origin) },
  { name: t("contact"), cell: (row) => who(row) },
];

/** What was given back; a dash where nothing was. */
export const given = (row) => (/[1-9]/.test(row.refunded_value ?? "") ? money(row.refunded_value, row.currency) : DASH);

const who = (row) => (row.contact_id ? link(`contacts/${part(row.contact_id)}`, row.buyer ?? (row.crm_contact_id ? `#${row.crm_contact_id}` : t("see"))) : row.buyer ?? DASH);

/** An order in a line: what it is, of how much, of when. */
const called = (row) => [row.title ?? row.external_id, row.external_id, money(row.value, row.currency), row.ordered_at && date(row.ordered_at)].filter(Boolean).join(" · ");

const deletable = (row) => row.test || !row.source_id;

export async function order(place) {
  const id = part(place.params.id);
  const row = await api.get(`/v1/orders/${id}`, {}, { signal: place.signal });
  const past = h("div", {});
  into(past, async () => history((await api.get(`/v1/orders/${id}/history`, {}, { signal: place.signal })).data, place), { signal: place.signal });
  const url = row.url && safeAddress(row.url);
  const merge = async () => {
    const others = row.contact_id ? (await api.get(`/v1/contacts/${part(row.contact_id)}/orders`, { limit: 200 }, { signal: place.signal })).data.filter((one) => one.id !== row.id) : [];
    dialog(t("order.merge"), (close) => form([
      field({ name: "into", label: t("order.merge.into"), required: true, wide: true, ...(others.length ? { options: others.map((one) => [one.id, called(one)]) } : { placeholder: "ord_…" }) }),
    ], { before: h("p", {}, t("order.merge.text")), submit: t("order.merge"), oncancel: close, onsubmit: async (given) => {
      const kept = await api.post(`/v1/orders/${id}/merge`, { into: given.into });
      close();
      tell(t("order.merged"));
      place.go(`orders/${kept.id}`);
    } }));
  };
  const split = (one) => confirm(t("order.split"), t("order.split.text"), t("order.split"), async () => {
    await api.post(`/v1/orders/${part(one.id)}/split`);
    tell(t("order.is.split"));
    place.go(`orders/${part(one.id)}`);
  });
  return [
    head(h("span", {}, row.title ?? row.external_id, " ", badge("status", row.status), row.test && h("span", { class: "tag" }, t("test"))), {
      back: ["orders", t("orders")], lead: [money(row.value, row.currency), " · ", time(row.ordered_at)],
      actions: place.may("manage") ? [deletable(row) && h("button", { type: "button", class: "grave", onclick: () => confirm(t("order.delete"), t("order.delete.text"), t("order.delete"), async () => {
        await api.delete(`/v1/orders/${id}`);
        place.go("orders");
      }) }, t("order.delete")), h("button", { type: "button", onclick: merge }, t("order.merge")), link(`orders/${id}/edit`, t("edit"), { class: "button primary" })] : [],
    }),
    h("div", { class: "pair wide-left" },
      h("div", {},
        section(t("items"), items(row)),
        section(t("ledger"), ledger(row)),
        row.merged.length > 0 && section(t("order.parts"), table([
          { name: t("order"), cell: (one) => [one.title ?? one.external_id, h("span", { class: "sub" }, one.external_id)] },
          { name: "", right: true, cell: (one) => place.may("manage") && h("button", { type: "button", class: "small", onclick: () => split(one) }, t("order.split")) },
        ], row.merged, { caption: t("order.parts") })),
        section(t("history"), past)),
      h("aside", { class: "side-facts" }, section(t("facts"), facts([
        [t("order"), copyable(row.id)],
        [t("contact"), who(row)],
        [t("deal"), row.deal_id && code(row.deal_id)],
        [t("value"), money(row.value, row.currency)],
        [t("paid.value"), money(row.paid_value, row.currency)],
        [t("refunded"), given(row)],
        [t("status"), badge("status", row.status)],
        [t("source.status"), row.source_status && code(row.source_status)],
        [t("ordered"), time(row.ordered_at)],
        [t("paid"), time(row.paid_at)],
        [t("origin"), word("origin", row.origin)],
        [t("source"), row.source_id && sourceLink(place, row.source_id, row.source_name ?? code(row.source_id))],
        [t("owner"), row.owner_name ?? row.owner_id],
        [t("external.id"), code(row.external_id)],
        [t("address"), url ? h("a", { href: url, rel: "noopener noreferrer", target: "_blank" }, t("address.open")) : row.url && code(row.url)],
        [t("made"), time(row.created_at)],
        [t("updated"), time(row.updated_at)],
      ])))),
  ];
}

function items(row) {
  if (!row.items.length) return h("p", { class: "quiet" }, t("items.none"));
  return table([
    { name: t("item"), cell: (one) => one.title },
    { name: t("sku"), cell: (one) => code(one.sku) },
    { name: t("quantity"), right: true, cell: (one) => number(one.quantity) },
    { name: t("unit.value"), right: true, cell: (one) => money(one.unit_value, row.currency) },
  ], row.items, { caption: t("items") });
}

/** What was paid and given back, each as it was told last, and what does not fit. */
function ledger(row) {
  const lines = [...row.payments, ...row.refunds];
  return [
    row.notes.map((one) => h("p", {}, h("span", { class: "tag" }, word("note", one)), " ", word("note", `${one}.text`))),
    lines.length ? table([
      { name: t("kind"), cell: (one) => [word("money", one.kind), " ", one.id && code(one.id)] },
      { name: t("state"), cell: (one) => word("state", one.state) },
      { name: t("amount"), right: true, class: "nowrap", cell: (one) => money(one.value, one.currency) },
      { name: t("when"), class: "nowrap", cell: (one) => (one.at ? time(one.at) : DASH) },
    ], lines, { caption: t("ledger") }) : h("p", { class: "quiet" }, t("ledger.none")),
  ];
}

const MONEY = { bills: "bill", payments: "payment", refunds: "refund" };

/** The bills, payments and refunds that an entry of the history told of. */
const told = (said) => Object.entries(MONEY).flatMap(([name, kind]) => (said[name] ?? []).map((one) =>
  h("li", {}, h("span", { class: "quiet" }, word("money", one.kind ?? kind)), " ", one.id && code(one.id), " ", money(one.value, one.currency), " ",
    one.total ? t("in.all") : one.state ? word("state", one.state) : null)));

const SKIPPED = new Set(["external_id", "aliases", "currency", "customer", "preference", "sequence", "notes", ...Object.keys(MONEY)]);

/** What was said of an order, the latest first. */
export function history(entries, place) {
  if (!entries.length) return h("p", { class: "quiet" }, t("history.none"));
  return h("ol", { class: "history" }, [...entries].reverse().map((one) => h("li", {},
    h("p", { class: "when" }, one.at ? time(one.at, moment) : h("span", { title: t("untimed.text") }, t("untimed")), " · ", by(one, place)),
    h("ul", { class: "said" }, Object.entries(one.said).filter(([name]) => !SKIPPED.has(name)).map(([name, value]) =>
      h("li", {}, h("span", { class: "quiet" }, word("field", name)), " ", shown(name, value, one.said.currency))),
    told(one.said),
    one.said.customer && h("li", {}, h("span", { class: "quiet" }, t("contact")), " ",
      [one.said.customer.name, ...one.said.customer.identities.map((known) => known.value)].filter(Boolean).join(", "))))));
}

function by(one, place) {
  if (one.member_id) return [t("by.member"), " ", h("strong", {}, one.member_name ?? one.member_id)];
  if (!one.delivery_id) return t("by.nobody");
  return [t("by.delivery"), " ", place?.may("log") ? link(`deliveries/${one.delivery_id}`, t("see")) : code(one.delivery_id)];
}

// -- made and edited ----------------------------------------------------------------------------------------------

/** The lines of an order, each with its fields; `said(currency)` gives them as the API takes them. */
function itemsEditor(items) {
  const rows = h("div", { class: "items-editor", role: "group", "aria-label": t("items") });
  const input = (name, value, given = {}) => h("input", { "data-item": name, value: value ?? "", placeholder: t(`item.${name}`), "aria-label": t(`item.${name}`), ...given });
  const add = (one = {}) => {
    const row = h("div", { class: "item-row" }, input("title", one.title, { maxlength: 300 }), input("quantity", written(one.quantity ?? "1"), { inputmode: "decimal" }),
      input("unit_value", written(one.unit_value), { inputmode: "decimal" }), input("sku", one.sku, { maxlength: 255 }),
      h("button", { type: "button", class: "plain", "aria-label": t("item.remove"), onclick: () => row.remove() }, "×"));
    rows.append(row);
    return row;
  };
  (items ?? []).forEach(add);
  const said = (currency) => [...rows.children].map((row) => {
    const of = (name) => row.querySelector(`[data-item="${name}"]`).value.trim();
    if (!of("title")) return null;
    return { title: of("title"), quantity: of("quantity") ? read(of("quantity"), "items") : "1",
      ...(of("unit_value") ? { unit_value: readMoney(of("unit_value"), currency, "items") } : {}), ...(of("sku") ? { sku: of("sku") } : {}) };
  }).filter(Boolean);
  const box = h("div", { class: "field wide", "data-field": "items" }, h("span", { class: "label" }, t("items")), rows,
    h("div", {}, h("button", { type: "button", class: "small", onclick: () => add().querySelector("input").focus() }, t("item.add"))), h("p", { class: "wrong", hidden: true }));
  return { box, said };
}

/** A time's field: in the account's time zone, said again in the language that is shown, as the browser's own field may speak another. */
function timeField(name, label, value) {
  const box = field({ name, label, value: local(value), type: "datetime-local", hint: " " });
  const input = box.querySelector("input");
  const say = () => { box.querySelector(".hint").textContent = input.value ? t("time.said", { time: spokenTime(input.value), zone: zoneName() }) : t("time.zone", { zone: zoneName() }); };
  input.addEventListener("input", say);
  say();
  return box;
}

function fieldsOf(row, fallback) {
  return [
    field({ name: "title", label: t("title"), value: row.title, required: true, maxlength: 300, wide: true }),
    field({ name: "contact", label: t("contact"), value: row.crm_contact_id ?? row.contact_id, required: true, hint: t("contact.hint") }),
    field({ name: "value", label: t("value"), value: written(row.value), required: true, inputmode: "decimal", placeholder: written("199.90") }),
    field({ name: "currency", label: t("currency"), value: row.currency ?? fallback, required: true, maxlength: 3 }),
    field({ name: "status", label: t("status"), value: row.status ?? "pending", options: STATUSES.map((one) => [one, word("status", one)]) }),
    timeField("ordered_at", t("ordered"), row.ordered_at),
    timeField("paid_at", t("paid"), row.paid_at),
    field({ name: "deal_id", label: t("deal"), value: row.deal_id }),
    field({ name: "url", label: t("address"), value: row.url, type: "url", placeholder: "https://" }),
  ];
}

/** What a form says, with its amounts as the API takes them. Throws Wrong. */
function spoken(given) {
  const currency = given.currency.toUpperCase();
  const amounts = ["value", "refunded_value"].filter((name) => given[name]).map((name) => [name, readMoney(given[name], currency, name)]);
  return { ...given, currency, ...Object.fromEntries(amounts) };
}

export async function orderNew(place) {
  const contact = place.query.get("contact");
  const start = { crm_contact_id: contact };
  const items = itemsEditor([]);
  return [
    head(t("order.new"), { back: ["orders", t("orders")] }),
    form([...fieldsOf(start, place.session.account.default_currency), items.box,
      field({ name: "external_id", label: t("external.id"), hint: t("external.id.hint"), maxlength: 255 })], {
      submit: t("order.make"), oncancel: () => place.go("orders"), onsubmit: async (given) => {
        const said = spoken(given);
        const body = { contact: said.contact, title: said.title, value: said.value, currency: said.currency, status: said.status };
        for (const name of ["deal_id", "url", "external_id"]) if (said[name]) body[name] = said[name];
        for (const name of ["ordered_at", "paid_at"]) if (said[name]) body[name] = said[name];
        const lines = items.said(said.currency);
        if (lines.length) body.items = lines;
        const made = await api.post("/v1/orders", body);
        tell(t("order.made"));
        place.go(`orders/${made.id}`);
      },
    }),
  ];
}

export async function orderEdit(place) {
  const id = part(place.params.id);
  const row = await api.get(`/v1/orders/${id}`, {}, { signal: place.signal });
  const refunded = field({ name: "refunded_value", label: t("refunded"), value: written(row.refunded_value), inputmode: "decimal" });
  const items = itemsEditor(row.items);
  const before = JSON.stringify(items.said(row.currency));
  return [
    head(t("order.edit"), { back: [`orders/${id}`, row.title ?? row.external_id], lead: row.source_id ? t("order.edit.text") : null }),
    form([...fieldsOf(row, row.currency), refunded, items.box], {
      submit: t("save"), oncancel: () => place.go(`orders/${id}`), onsubmit: async (given) => {
        const said = spoken(given);
        const body = differing(row, said);
        const lines = items.said(said.currency);
        if (JSON.stringify(lines) !== before) body.items = lines;
        if (Object.keys(body).length) {
          await api.patch(`/v1/orders/${id}`, body);
          tell(t("saved"));
        }
        place.go(`orders/${id}`);
      },
    }),
  ];
}

/** Only what the person changed: everything else is left to the source. */
function differing(row, said) {
  const body = {};
  if (said.contact !== (row.crm_contact_id ?? row.contact_id ?? "")) body.contact = said.contact;
  for (const name of ["title", "value", "currency", "status"]) if (said[name] !== row[name]) body[name] = said[name];
  if (body.currency) body.value = said.value;
  if (said.refunded_value && said.refunded_value !== row.refunded_value) body.refunded_value = said.refunded_value;
  for (const name of ["deal_id", "url"]) if (said[name] !== (row[name] ?? "")) body[name] = said[name] || null;
  for (const name of ["ordered_at", "paid_at"]) {
    if (said[name] !== local(row[name]) && (said[name] || name === "paid_at")) body[name] = said[name] || null;
  }
  return body;
}
