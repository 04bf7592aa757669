// Orders from a file: read in parts in the browser, the first rows shown as orders, then sent part by part.

import { api, sourcesByName } from "../api.js";
import { fill, h } from "../dom.js";
import { badge, dash, explain, field, form, head, notice, section, table, time } from "../parts.js";
import { DASH, Wrong, money, number, t, zoneName } from "../words.js";

const PRESETS = ["shopify", "woocommerce", "nuvemshop"];
const PART = 800_000; // characters; the API takes 4 MB
const LARGEST = 100_000_000; // bytes that a page reads at once; the command line takes any file
const MOST_SHOWN = 200; // rows that are refused, on the page
const COUNTS = ["created", "updated", "unchanged", "refused"];

export async function importOrders(place) {
  const known = place.may("log") ? await sourcesByName(place.signal) : [];
  const below = h("div", { "aria-live": "polite" });
  const choice = (name, options, hint) => field({ name, label: t(`import.${name}`), value: "", hint, options: [["", t(`import.${name}.none`)], ...options] });
  return [
    head(t("import"), { back: ["orders", t("orders")], lead: t("import.text") }),
    form([
      field({ name: "file", label: t("import.file"), type: "file", required: true, accept: ".csv,.tsv,.txt,.jsonl,.ndjson", wide: true, hint: t("import.file.hint") }),
      choice("preset", PRESETS.map((one) => [one, t(`import.preset.${one}`)])),
      known.length > 0 && field({ name: "source_id", label: t("source"), value: "", options: [["", t("import.source.none")], ...known.map((one) => [one.id, one.name])], hint: t("import.source.hint") }),
      choice("decimal", [[",", "1.500,00"], [".", "1,500.00"]]),
      choice("dates", [["dmy", "20/11/2026"], ["mdy", "11/20/2026"], ["ymd", "2026-11-20"]]),
      field({ name: "zone", label: t("timezone"), list: "zones", placeholder: zoneName(), hint: t("import.zone.hint", { zone: zoneName() }) }),
      h("datalist", { id: "zones" }, Intl.supportedValuesOf("timeZone").map((one) => h("option", { value: one }))),
      field({ name: "map", label: t("import.map"), type: "area", wide: true, spellcheck: "false", placeholder: "Valor=value\nPedido=external_id", hint: t("import.map.hint") }),
      field({ name: "ignore_unknown", label: t("import.ignore"), type: "check", wide: true }),
    ].filter(Boolean), { submit: t("import.preview"), onsubmit: async (given, element) => {
      const read = await textOf(element.elements.file.files[0]);
      const query = {
        ...Object.fromEntries(["preset", "source_id", "decimal", "dates", "zone"].map((name) => [name, given[name]])),
        map: given.map.split("\n").map((one) => one.trim()).filter(Boolean), ignore_unknown: given.ignore_unknown || null,
      };
      const [first] = parts(read.text, read.csv);
      if (!first) throw new Wrong("file", t("import.empty"));
      const told = await send(first, read, query, true, place);
      fill(below, preview(told, read, query, place));
      below.querySelector("h2")?.scrollIntoView({ block: "nearest" });
    } }),
    below,
  ];
}

// -- the file -----------------------------------------------------------------------------------------------------

/** A file's text, and how it was read: UTF-8, UTF-16 by its mark, else the letters of old spreadsheets (cp1252). */
async function textOf(file) {
  if (file.size > LARGEST) throw new Wrong("file", t("import.large"));
  const bytes = new Uint8Array(await file.arrayBuffer());
  let encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : "utf-8";
  let text;
  try {
    text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    encoding = "windows-1252";
    text = new TextDecoder(encoding).decode(bytes);
  }
  return { text, encoding, csv: !/\.(jsonl|ndjson)$/i.test(file.name) && !text.trimStart().startsWith("{") };
}

/** Where a row ends that begins here: a cell in quotes may hold line ends. */
function rowEnd(text, from, csv) {
  let end = from;
  let quotes = 0;
  do {
    const mark = text.indexOf("\n", end);
    const next = mark < 0 ? text.length : mark + 1;
    if (csv) for (let at = text.indexOf('"', end); at >= 0 && at < next; at = text.indexOf('"', at + 1)) quotes += 1;
    end = next;
  } while (quotes % 2 && end < text.length);
  return end;
}

/** A file's parts, each with the header and the number of its first line. Rows of one order, which follow each other, stay together. */
export function* parts(text, csv, size = PART) {
  let at = 0;
  if (csv) at = rowEnd(text, /^sep=/i.test(text) ? rowEnd(text, 0, csv) : 0, csv);
  const header = text.slice(0, at);
  let line = 1 + lines(header);
  while (at < text.length) {
    let end = at;
    let last = null;
    while (end < text.length) {
      const first = /^[^,;\t|\n]*/.exec(text.slice(end, end + 300))[0];
      if (end - at > 3 * size || (end - at > size && first !== last)) break;
      last = first;
      end = rowEnd(text, end, csv);
    }
    const rows = text.slice(at, end);
    yield { text: header + rows, line, end };
    line += lines(rows);
    at = end;
  }
}

const lines = (text) => text.split("\n").length - 1;

const send = (one, read, query, dry, place) => api.upload("/v1/orders/import", one.text, read.csv ? "text/csv" : "application/x-ndjson",
  { ...query, line: one.line, dry_run: dry || null }, { signal: place.signal });

// -- what is shown ------------------------------------------------------------------------------------------------

function preview(told, read, query, place) {
  const box = h("div", {});
  const begin = h("button", { type: "button", class: "primary", onclick: () => run(box, read, query, place) }, t("import.begin"));
  fill(box,
    section(t("import.first"),
      read.encoding !== "utf-8" && notice("calm", t("import.encoding", { encoding: read.encoding })),
      told.preview.length ? table([
        { name: t("import.line"), right: true, cell: (one) => number(one.line) },
        { name: t("external.id"), cell: (one) => one.external_id },
        { name: t("title"), cell: (one) => dash(one.title) },
        { name: t("status"), cell: (one) => badge("status", one.status) },
        { name: t("value"), right: true, class: "nowrap", cell: (one) => money(one.value, one.currency) },
        { name: t("ordered"), class: "nowrap", cell: (one) => time(one.ordered_at) },
        { name: t("contact"), cell: (one) => [dash(one.contact_name), h("span", { class: "sub" }, one.identities.map((known) => known.value).join(" · "))] },
        { name: t("items"), cell: (one) => one.items.map((item) => `${item.quantity} × ${item.title}`).join(", ") || DASH },
      ], told.preview, { caption: t("import.first") }) : notice("warn", t("import.none")),
      wrong(told)),
    h("p", { class: "quiet" }, t("import.begin.text")),
    h("div", { class: "buttons" }, begin));
  return box;
}

/** Rows that are refused, and notes. */
function wrong(told, more = 0) {
  const rows = [...told.errors.map((one) => ({ ...one, refused: true })), ...told.notes].slice(0, MOST_SHOWN);
  if (!rows.length) return null;
  return [
    told.refused > 0 && notice("bad", t("import.refused", { count: told.refused })),
    table([
      { name: t("import.line"), right: true, cell: (one) => number(one.line) },
      { name: t("field"), cell: (one) => dash(one.field) },
      { name: t("reason"), class: "reason", cell: (one) => [h("span", { class: `tag ${one.refused ? "bad" : "warn"}` }, t(one.refused ? "import.is.refused" : "note")), " ", one.message] },
    ], rows, { caption: t("import.wrong"), plain: true }),
    told.errors.length + told.notes.length + more > rows.length && notice("calm", t("import.more", { count: rows.length })),
  ];
}

async function run(box, read, query, place) {
  const sum = { created: 0, updated: 0, unchanged: 0, refused: 0, errors: [], notes: [] };
  let left = 0; // words about rows that are not kept
  let stopped = false;
  const bar = h("progress", { max: String(Math.max(read.text.length, 1)), value: 0, "aria-label": t("job") });
  const said = h("p", { role: "status" }, t("job.begun"));
  const halt = h("button", { type: "button", onclick: () => { stopped = true; halt.disabled = true; } }, t("job.stop"));
  const below = h("div", {});
  const counted = () => COUNTS.map((name) => t(`import.${name}`, { count: sum[name] })).join(" · ");
  fill(box, section(t("import.running"), h("div", { class: "job" }, bar, said, h("div", { class: "buttons" }, halt)), below));
  try {
    for (const one of parts(read.text, read.csv)) {
      if (stopped || place.signal.aborted) break;
      const told = await send(one, read, query, false, place);
      for (const name of COUNTS) sum[name] += told[name];
      for (const name of ["errors", "notes"]) {
        left += Math.max(0, sum[name].length + told[name].length - MOST_SHOWN);
        sum[name] = [...sum[name], ...told[name]].slice(0, MOST_SHOWN);
      }
      bar.value = one.end;
      said.textContent = counted();
    }
    said.textContent = `${t(stopped ? "import.stopped" : "import.done")} ${counted()}`;
    box.querySelector(".job").dataset.state = stopped ? "stopped" : "done";
  } catch (error) {
    if (error.name === "AbortError") return;
    fill(below, notice("bad", t("import.broke"), " ", explain(error)));
  }
  halt.remove();
  below.append(...[wrong(sum, left)].flat().filter((one) => one));
}
