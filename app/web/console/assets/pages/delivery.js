// One delivery: what arrived, what became of it, what it changed, and what can be done.

import { address, api, part } from "../api.js";
import { fill, h } from "../dom.js";
import { formLines, pieces, pretty, quoted } from "../json.js";
import { badge, code, copyable, dash, empty, explain, facts, head, into, link, notice, section, sourceLink, table, tell, time, took } from "../parts.js";
import { DASH, exactly, has, money, moment, number, span, t, word } from "../words.js";

const INLINE = 4000; // characters of a body that still stand in a command line

export async function delivery(place) {
  const id = part(place.params.id);
  const row = await api.get(`/v1/deliveries/${id}`, {}, { signal: place.signal });
  const source = row.source; // null: deleted since
  const result = h("div", { "aria-live": "polite" });
  const changed = h("div", {});
  const retry = h("button", { type: "button", class: "primary", disabled: !row.body_kept || !source, onclick: () => act(retry, async () => {
    const told = await api.post(`/v1/deliveries/${id}/retry`);
    tell(t("retried", { outcome: word("outcome", told.outcome) }));
    place.redraw();
  }) }, t("retry"));
  const trial = place.may("sources") && row.body !== null && source
    ? h("button", { type: "button", onclick: () => act(trial, async () => fill(result, tried(await attempt(row)))) }, t("try.today")) : null;
  async function act(button, work) {
    button.disabled = true;
    try {
      await work();
    } catch (error) {
      tell(explain(error), "bad");
    } finally {
      button.disabled = false;
    }
  }
  into(changed, async () => changes(await api.get(`/v1/deliveries/${id}/changes`, {}, { signal: place.signal })), { signal: place.signal });
  return [
    head(h("span", {}, row.kind || t("delivery"), " ", badge("outcome", row.outcome)), {
      back: ["deliveries", t("deliveries")], actions: [trial, retry],
      lead: [time(row.received_at, exactly), " · ", source ? sourceLink(place, source.id, source.name) : code(row.source_id)],
    }),
    verdict(row),
    result,
    h("div", { class: "pair wide-left" },
      h("div", {},
        section(t("changed"), changed),
        section(t("body"), body(row, id, place)),
        row.headers && section(t("headers"), pairs(row.headers, t("headers"))),
        row.query && Object.keys(row.query).length > 0 && section(t("query"), pairs(row.query, t("query"))),
        row.headers && source && section(t("repeat"), repeat(row, source))),
      h("aside", { class: "side-facts" }, section(t("facts"), facts([
        [t("delivery"), copyable(row.id)],
        [t("source"), source ? sourceLink(place, source.id, source.name) : [code(row.source_id), " ", t("source.gone")]],
        [t("external.id"), row.external_id && link(`deliveries?external_id=${part(row.external_id)}`, code(row.external_id))],
        [t("source.delivery.id"), code(row.source_delivery_id)],
        [t("strength"), row.strength && h("span", { title: row.strength }, word("strength", row.strength))],
        [t("received"), time(row.received_at, exactly)],
        [t("committed"), time(row.committed_at, exactly)],
        [t("took"), span(took(row))],
        [t("attempts"), dash(row.attempts)],
        [t("repeats"), row.repeats ? [number(row.repeats), " ", t("repeats.last"), " ", time(row.last_repeated_at)] : t("repeats.none")],
      ])))),
  ];
}

function verdict(row) {
  const notes = row.notes ?? [];
  if (!row.reason && !notes.length) return null;
  const grade = ["unreadable", "unfetched"].includes(row.outcome) ? "bad" : ["held", "fetching"].includes(row.outcome) || notes.length ? "warn" : "calm";
  return notice(grade, row.reason && h("p", {}, row.reason), notes.map((one) =>
    h("p", {}, h("span", { class: "tag" }, word("note", one)), " ", has(`note.${one}.text`) ? t(`note.${one}.text`) : null)));
}

async function attempt(row) {
  return api.post(`/v1/sources/${part(row.source_id)}/try`, {
    headers: row.headers, query: row.query ?? {}, body: row.body, body_encoding: row.body_encoding,
  });
}

function tried(told) {
  return h("div", { class: "notice calm tried" },
    h("h2", {}, t("tried")),
    facts([
      [t("signature"), told.verified ? t("verified") : [t("not.verified"), " – ", told.reason]],
      told.verified && told.reason ? [t("reason"), told.reason] : null,
      [t("kind"), told.kind], [t("outcome"), badge("outcome", told.outcome)],
    ]),
    told.verified ? null : h("p", { class: "small quiet" }, t("tried.unverified")),
    told.orders.map((one) => h("div", { class: "sub-card" }, h("h3", {}, one.title ?? one.external_id), facts([
      [t("external.id"), code(one.external_id)], [t("status"), badge("status", one.status)], [t("source.status"), one.source_status],
      [t("value"), money(one.value, one.currency)], [t("refunded"), money(one.refunded_value, one.currency)],
      [t("ordered"), time(one.ordered_at)], [t("paid"), time(one.paid_at)],
    ]))));
}

function changes(told) {
  if (!told.data.length) return h("p", { class: "quiet" }, t("changed.nothing"));
  return told.data.map((one) => h("div", { class: "sub-card" },
    h("h3", {}, one.values ? link(`orders/${one.order_id}`, one.title ?? one.external_id) : [t("order"), " ", code(one.external_id)],
      one.made && h("span", { class: "tag good" }, t("changed.made"))),
    one.changes.length ? (one.values ? differences(one) : h("p", {}, t("changed.fields"), " ", one.changes.map((change) => h("span", { class: "tag" }, word("field", change.field)))))
      : h("p", { class: "quiet" }, t("changed.no.field"))));
}

function differences(one) {
  const after = one.changes.find((change) => change.field === "currency")?.after;
  const currency = { now: after ?? one.currency, then: one.changes.find((change) => change.field === "currency")?.before };
  const columns = [
    { name: t("field"), cell: (row) => word("field", row.field) },
    ...(one.made ? [] : [{ name: t("before"), cell: (row) => h("span", { class: "was" }, shown(row.field, row.before, currency.then ?? currency.now)) }]),
    { name: one.made ? t("value.is") : t("after"), cell: (row) => h("span", { class: "is" }, shown(row.field, row.after, currency.now)) },
  ];
  return table(columns, one.changes, { caption: t("changed") });
}

/** A field's value, as a person reads it. */
export function shown(name, value, currency) {
  if (value === null || value === undefined || value === "") return DASH;
  if (name === "status") return badge("status", value);
  if (["value", "paid_value", "refunded_value"].includes(name)) return currency ? money(value, currency) : value;
  if (name === "ordered_at" || name === "paid_at") return time(value, moment);
  if (name === "test") return t(value ? "yes" : "no");
  if (name === "items") return value.map((one) => `${one.quantity} × ${one.title}`).join(", ") || DASH;
  if (name === "identities") return value.map((one) => `${word("identity", one.kind)} ${one.value}`).join(", ") || DASH;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function body(row, id, place) {
  if (!row.body_kept) return h("p", { class: "quiet" }, t("body.gone"));
  if (row.body === null) return empty(t("body.not.yours"), t("body.not.yours.text", { role: place.session.role }));
  const exact = h("a", { class: "button small", href: address(`/v1/deliveries/${id}/body`), download: `${row.id}.body` }, t("body.exact"));
  if (row.body_encoding === "base64") return [h("p", { class: "quiet" }, t("body.binary")), exact];
  const readable = pretty(row.body);
  const lines = readable === null ? formLines(row.body) : null;
  return [
    h("pre", { class: "body", tabindex: "0", role: "region", "aria-label": t("body") },
      readable === null ? lines ?? row.body : pieces(readable).map(([kind, text]) => (kind ? h("span", { class: kind }, text) : text))),
    h("p", { class: "below" }, exact, " ", h("span", { class: "small quiet" }, t(readable !== null || lines !== null ? "body.spaced" : "body.as.is"))),
  ];
}

function pairs(object, caption) {
  return table([
    { name: t("name"), class: "nowrap", cell: ([name]) => code(name) },
    { name: t("value.is"), class: "break", cell: ([, value]) => (value === "[not kept]" ? h("span", { class: "tag" }, t("blanked")) : value) },
  ], Object.entries(object), { caption, plain: true });
}

function repeat(row, source) {
  const words = new URLSearchParams(row.query ?? {}).toString();
  const url = source.webhook_url + (words ? `?${words}` : "");
  const inline = row.body_encoding === "text" && row.body.length <= INLINE && !row.body.includes("\r");
  const dropped = ["host", "content-length", "connection", "accept-encoding", "transfer-encoding", "user-agent", "accept"];
  const lines = [`curl -X POST ${quoted(url)}`];
  const blank = [];
  for (const [name, value] of Object.entries(row.headers)) {
    if (dropped.includes(name)) continue;
    if (value === "[not kept]") blank.push(name);
    else lines.push(`-H ${quoted(`${name}: ${value}`)}`);
  }
  lines.push(`--data-binary ${inline ? quoted(row.body) : `@${row.id}.body`}`);
  return [
    copyable(lines.join(" \\\n  "), { block: true }),
    h("p", { class: "small quiet" }, t("repeat.text"), blank.length ? ` ${t("repeat.blank", { names: blank.join(", ") })}` : null, inline ? null : ` ${t("repeat.file", { file: `${row.id}.body` })}`),
  ];
}
