// Sources: added by choosing the platform and following its steps; tried, rotated, revoked, checked.

import { api, part } from "../api.js";
import { fill, h, safeAddress } from "../dom.js";
import { badge, code, confirm, copyable, dialog, empty, explain, facts, field, form, head, link, notice, pager, prose, section, since, table, tell, time } from "../parts.js";
import { moment, number, t, word } from "../words.js";
import { follow } from "../tail.js";
import { remap } from "./jobs.js";
import { reason } from "./overview.js";
import { counts, secretsOf, shownOnce } from "./secrets.js";

export async function sources(place) {
  const page = await api.get("/v1/sources", { limit: 100, cursor: place.query.get("cursor") }, { signal: place.signal });
  const list = page.data;
  const add = link("sources/new", t("source.add"), { class: "button primary" });
  return [
    head(t("sources"), { actions: [add] }),
    list.length ? table([
      { name: t("source"), cell: (one) => [link(`sources/${one.id}`, one.name, { class: "strong" }), h("span", { class: "sub" }, one.adapter)] },
      { name: t("state"), cell: (one) => state(one) },
      { name: t("strength"), cell: (one) => word("strength", one.strength) },
      { name: t("secrets"), cell: (one) => secretsInWords(one) },
      { name: t("last.received"), cell: (one) => (one.last_delivery_at ? since(one.last_delivery_at) : h("span", { class: "quiet" }, t("never"))) },
    ], list, { caption: t("sources"), key: (one) => one.id }) : empty(t("sources.none"), t("sources.none.text"), add),
    pager(page.next_cursor, place.query, (cursor) => {
      place.setQuery(cursor ? { cursor } : {});
      place.redraw();
    }),
  ];
}

const state = (one) => h("span", { class: `badge ${one.enabled ? "outcome-created" : "outcome-disabled"}` }, t(one.enabled ? "on" : "off"));

function secretsInWords(one) {
  const usable = one.secrets.filter(counts).length;
  return usable ? t("secrets.count", { count: usable }) : h("span", { class: "tag bad" }, t("secrets.no"));
}

// -- a new one ----------------------------------------------------------------------------------------------------

export async function sourceNew(place) {
  const known = (await api.get("/v1/adapters", {}, { signal: place.signal })).data;
  const chosen = place.query.get("adapter");
  const adapter = known.find((one) => one.name === chosen);
  return adapter ? settle(adapter, place) : choose(known);
}

function choose(known) {
  const grid = h("div", {});
  const search = h("input", { type: "search", "data-search": true, placeholder: t("platform.find"), "aria-label": t("platform.find"), oninput: () => draw(search.value.trim().toLowerCase()) });
  function draw(text) {
    const found = known.filter((one) => `${one.title} ${one.name}`.toLowerCase().includes(text));
    const groups = ["commerce", "payments", "webhook"].map((origin) => [origin, found.filter((one) => one.origin === origin)]).filter(([, list]) => list.length);
    fill(grid, groups.length ? groups.map(([origin, list]) => section(t(`platforms.${origin}`), h("ul", { class: "platforms" }, list.map((one) =>
      h("li", {}, link(`sources/new?adapter=${one.name}`, [h("span", { class: "letter", "aria-hidden": "true" }, one.title[0]), h("span", {}, h("strong", {}, one.title), h("span", { class: "sub" }, word("strength", one.strength ?? "mac")))])))))) :
      empty(t("platform.unknown"), t("platform.unknown.text"), link("sources/new?adapter=generic", t("platform.generic"), { class: "button" })));
  }
  draw("");
  return [head(t("source.add"), { back: ["sources", t("sources")], lead: t("platform.choose") }), h("div", { class: "field wide" }, search), grid];
}

function settle(adapter, place) {
  const theirs = adapter.secret_made_by === "theirs";
  const plain = Object.entries(adapter.options).filter(([, shape]) => ["string", "boolean", "integer"].includes(shape.type) || shape.enum);
  const rest = Object.entries(adapter.options).filter(([name]) => !plain.some(([known]) => known === name));
  const fields = [
    field({ name: "name", label: t("name"), value: adapter.title, maxlength: 200, hint: t("source.name.hint") }),
    field({ name: "unknown_contacts", label: t("unknown.contacts"), value: "create", options: [["create", t("unknown.create")], ["hold", t("unknown.hold")]] }),
    field({ name: "secret", label: t("secret"), type: "password", autocomplete: "off", hint: t(theirs ? "secret.theirs" : "secret.ours", { platform: adapter.title }) }),
    adapter.key && field({ name: "key", label: t("key"), type: "password", autocomplete: "off", hint: adapter.key }),
    ...plain.map(([name, shape]) => option(name, shape)),
    rest.length > 0 && field({ name: "options", label: t("options"), type: "area", wide: true, hint: t("options.hint", { names: rest.map(([name]) => name).join(", ") }), spellcheck: "false" }),
  ].filter(Boolean);
  return [
    head(t("source.add.of", { platform: adapter.title }), { back: ["sources/new", t("platforms")], lead: prose(adapter.signature) }),
    h("div", { class: "pair wide-left" },
      form(fields, { submit: t("source.make"), oncancel: () => place.go("sources/new"), onsubmit: async (given) => {
        const body = { adapter: adapter.name, unknown_contacts: given.unknown_contacts, options: optionsOf(plain, given) };
        for (const name of ["name", "secret", "key"]) if (given[name]) body[name] = given[name];
        const made = await api.post("/v1/sources", body);
        place.go(`sources/${made.source_id}?made=1`);
        if (made.secret) shownOnce(made.secret);
      } }),
      h("aside", { class: "side-facts" }, section(t("steps.ahead"), steps(adapter, null)), manual(adapter))),
  ];
}

function option(name, shape) {
  const label = shape.title ?? name;
  const given = { name: `options.${name}`, label, hint: shape.description };
  if (shape.type === "boolean") return field({ ...given, type: "check", value: shape.default });
  if (shape.enum) return field({ ...given, value: shape.default ?? shape.enum[0], options: shape.enum.map((one) => [one, one]) });
  return field({ ...given, value: shape.default ?? "", type: shape.type === "integer" ? "number" : "text" });
}

function optionsOf(plain, given) {
  let options = {};
  if (given.options) {
    try {
      options = JSON.parse(given.options);
    } catch {
      throw new Error(t("options.not.json"));
    }
  }
  for (const [name, shape] of plain) {
    const value = given[`options.${name}`];
    if (value === "" || value === undefined || value === shape.default) continue;
    options[name] = shape.type === "integer" ? Number(value) : value;
  }
  return options;
}

function steps(adapter, url) {
  return h("ol", { class: "steps" }, adapter.setup.map((step) => h("li", {}, step.split("{webhook_url}").flatMap((text, at) =>
    [at ? (url ? code(url) : h("em", {}, t("webhook.url.later"))) : null, prose(text)]))),
  adapter.topics.length > 0 && h("li", {}, t("topics"), " ", adapter.topics.map((one) => h("code", { class: "chip" }, one))));
}

function manual(adapter) {
  const found = Object.entries(adapter.links).map(([name, url]) => [name, safeAddress(url)]).filter(([, url]) => url);
  return found.length ? h("p", { class: "small" }, t("manual"), " ", found.map(([name, url], at) =>
    [at ? " · " : null, h("a", { href: url, rel: "noopener noreferrer", target: "_blank" }, t(`manual.${name}`))])) : null;
}

// -- one ----------------------------------------------------------------------------------------------------------

export async function source(place) {
  const id = part(place.params.id);
  const [one, adapters] = await Promise.all([
    api.get(`/v1/sources/${id}`, {}, { signal: place.signal }),
    api.get("/v1/adapters", {}, { signal: place.signal }),
  ]);
  const adapter = adapters.data.find((known) => known.name === one.adapter);
  const usable = one.secrets.filter(counts);
  return [
    head(h("span", {}, one.name, " ", state(one)), {
      back: ["sources", t("sources")], lead: [adapter?.title ?? one.adapter, " · ", prose(adapter?.signature)],
      actions: [
        link(`deliveries?source_id=${id}`, t("alert.log"), { class: "button" }),
        h("button", { type: "button", onclick: () => remap(one, place) }, t("remap")),
        h("button", { type: "button", onclick: () => edit(one, place) }, t("edit")),
        h("button", { type: "button", onclick: () => turn(one, place) }, t(one.enabled ? "turn.off" : "turn.on")),
      ],
    }),
    place.query.get("made") && notice("good", t("source.made")),
    !usable.length && notice("bad", t("secrets.no.text")),
    section(t("webhook.url"), copyable(one.webhook_url, { block: true })),
    section(t("listen"), listening(one, adapter, place)),
    section(t("secrets"), secrets(one, adapter, place)),
    adapter?.key && section(t("key"), key(one, adapter, place)),
    section(t("refused"), refused(one)),
    adapter && h("details", { class: "section", open: Boolean(place.query.get("made")) || !one.last_delivery_at }, h("summary", {}, h("h2", {}, t("set.up"))), steps(adapter, one.webhook_url), manual(adapter)),
    section(t("facts"), facts([
      [t("source"), copyable(one.id)], [t("adapter"), code(one.adapter)], [t("strength"), word("strength", one.strength)],
      [t("unknown.contacts"), t(`unknown.${one.unknown_contacts}`)], [t("last.received"), since(one.last_delivery_at)], [t("made"), time(one.created_at)],
      Object.keys(one.options).length ? [t("options"), code(JSON.stringify(one.options))] : null,
    ])),
    h("p", {}, h("button", { type: "button", class: "grave", onclick: () => confirm(t("source.delete"), t("source.delete.text", { name: one.name }), t("source.delete"), async () => {
      await api.delete(`/v1/sources/${id}`);
      place.go("sources");
    }) }, t("source.delete"))),
  ];
}

/** Lights up when a delivery arrives; and a button that sends one. */
function listening(one, adapter, place) {
  const light = h("span", { class: "light", "aria-hidden": "true" });
  const said = h("p", { role: "status", "aria-live": "polite" }, t("listen.waiting"));
  const box = h("div", { class: "listen" }, light, said);
  const stop = follow({ source_id: one.id }, (row) => {
    box.dataset.state = ["unreadable", "unfetched"].includes(row.outcome) ? "bad" : "good";
    fill(said, t(row.notes.includes("sample") ? "listen.sample" : "listen.arrived"), " ", link(`deliveries/${row.id}`, row.kind || row.id), " ", badge("outcome", row.outcome));
  });
  place.signal.addEventListener("abort", stop);
  const kinds = adapter?.kinds ?? [];
  const pick = kinds.length > 1 ? h("select", { "aria-label": t("kind") }, h("option", { value: "" }, t("test.any")), kinds.map((name) => h("option", { value: name }, name))) : null;
  const send = h("button", { type: "button", class: "primary", onclick: async () => {
    send.disabled = true;
    try {
      const told = await api.post(`/v1/sources/${part(one.id)}/test`, pick?.value ? { kind: pick.value } : {});
      tell(t("test.sent", { outcome: word("outcome", told.outcome) }), ["unverified", "unreadable"].includes(told.outcome) ? "bad" : "good");
      if (told.outcome === "duplicate" && told.delivery_id) {
        box.dataset.state = "good";
        fill(said, t("listen.again"), " ", link(`deliveries/${told.delivery_id}`, t("see")));
      }
    } catch (error) {
      tell(explain(error), "bad");
    } finally {
      send.disabled = false;
    }
  } }, t("test.send"));
  return [box, h("div", { class: "buttons" }, pick, send), h("p", { class: "small quiet" }, t("test.text"))];
}

function secrets(one, adapter, place) {
  const platform = adapter?.title ?? "";
  const theirs = adapter?.secret_made_by === "theirs";
  return secretsOf(`/v1/sources/${part(one.id)}`, one.secrets, place, [
    field({ name: "secret", label: t("secret.new"), type: "password", autocomplete: "off", required: theirs, hint: t(theirs ? "rotate.theirs" : "rotate.ours", { platform }) }),
  ]);
}

function key(one, adapter, place) {
  const result = h("div", { "aria-live": "polite" });
  const check = h("button", { type: "button", onclick: async () => {
    check.disabled = true;
    try {
      const told = await api.post(`/v1/sources/${part(one.id)}/check`);
      const grade = { true: "good", false: "bad" }[String(told.key.accepted)] ?? "warn";
      fill(result, notice(grade, t(`key.${told.key.accepted === null ? "unknown" : told.key.accepted ? "taken" : "not.taken"}`), " ", h("span", { class: "quiet" }, told.key.words)));
    } catch (error) {
      fill(result, notice("bad", explain(error)));
    } finally {
      check.disabled = false;
    }
  } }, t("key.check"));
  return [
    h("p", {}, one.has_key ? t("key.there") : h("span", { class: "tag bad" }, t("key.none")), " ", h("span", { class: "quiet" }, adapter.key)),
    h("div", { class: "buttons" }, check, h("button", { type: "button", onclick: () => setKey(one, place) }, t(one.has_key ? "key.replace" : "key.give"))),
    result,
  ];
}

function setKey(one, place) {
  dialog(t("key"), (close) => form([field({ name: "key", label: t("key.new"), type: "password", autocomplete: "off", required: true })], {
    submit: t("save"), oncancel: close, onsubmit: async (given) => {
      await api.patch(`/v1/sources/${part(one.id)}`, { key: given.key });
      close();
      tell(t("saved"));
      place.redraw();
    },
  }));
}

function edit(one, place) {
  dialog(t("edit"), (close) => form([
    field({ name: "name", label: t("name"), value: one.name, required: true, maxlength: 200 }),
    field({ name: "unknown_contacts", label: t("unknown.contacts"), value: one.unknown_contacts, options: [["create", t("unknown.create")], ["hold", t("unknown.hold")]] }),
  ], { submit: t("save"), oncancel: close, onsubmit: async (given) => {
    await api.patch(`/v1/sources/${part(one.id)}`, given);
    close();
    tell(t("saved"));
    place.redraw();
  } }));
}

async function turn(one, place) {
  const act = async () => {
    await api.patch(`/v1/sources/${part(one.id)}`, { enabled: !one.enabled });
    place.redraw();
  };
  if (one.enabled) confirm(t("turn.off"), t("turn.off.text"), t("turn.off"), act);
  else await act().catch((error) => tell(explain(error), "bad"));
}

function refused(one) {
  const rows = one.refused ?? [];
  if (!rows.length) return h("p", { class: "quiet" }, t("refused.none"));
  return table([
    { name: t("outcome"), cell: (row) => badge("outcome", row.outcome) },
    { name: t("reason"), cell: (row) => reason(row.reason) },
    { name: t("count"), right: true, cell: (row) => number(row.count) },
    { name: t("first"), cell: (row) => since(row.first_at) },
    { name: t("last"), cell: (row) => since(row.last_at) },
  ], rows, { caption: t("refused") });
}
