// The language: a dictionary each, and the way numbers, money and times are written in it.

import en from "./words/en.js";
import pt from "./words/pt-BR.js";
import { recall, remember } from "./memory.js";

/** Something that a person wrote and that cannot be read, and in which field of the form. */
export class Wrong extends Error {
  constructor(name, message) {
    super(message);
    this.fields = { [name]: message };
  }
}

const KNOWN = { en, "pt-BR": pt };

function first() {
  const chosen = recall("language");
  if (chosen in KNOWN) return chosen;
  const wanted = navigator.languages?.find((one) => /^(pt|en)\b/i.test(one)) ?? "en";
  return /^pt/i.test(wanted) ? "pt-BR" : "en";
}

let current = first();

/** How numbers and times are written: in this language, the way of the region that the browser names. */
const region = () => navigator.languages?.find((one) => one.split("-")[0] === current.split("-")[0] && one.includes("-")) ?? current;

export const languages = { en: "English", "pt-BR": "Português" };
export const language = () => current;

export function speak(name) {
  current = name;
  remember("language", name);
  document.documentElement.lang = name;
}

/** The words for a thing; `{name}` stands for what is given. With `count`, the form for that many. */
export function t(key, given) {
  let text = KNOWN[current][key];
  if (text === undefined) return key;
  if (typeof text === "object") {
    const form = new Intl.PluralRules(region()).select(given.count);
    text = text[form] ?? text.other;
  }
  if (!given) return text;
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = given[name];
    return value === undefined ? whole : typeof value === "number" ? number(value) : String(value);
  });
}

/** Whether there are words for it. */
export const has = (key) => key in KNOWN[current];

/** A word of the interface (an outcome, a status) in this language; unknown ones as they are. */
export const word = (kind, text) => (has(`${kind}.${text}`) ? t(`${kind}.${text}`) : text);

export const DASH = "–";

export function number(value) {
  return value === null || value === undefined ? DASH : new Intl.NumberFormat(region()).format(value);
}

/** Money from the API's decimal string, exactly. */
export function money(value, currency) {
  if (value === null || value === undefined || !currency) return DASH;
  try {
    return new Intl.NumberFormat(region(), { style: "currency", currency, minimumFractionDigits: decimals(value) })
      .format(value);
  } catch {
    return `${currency} ${value}`;
  }
}

/** The mark before the decimals in this language: `,` in Portuguese. */
const decimalMark = () => new Intl.NumberFormat(region()).formatToParts(1.5).find((one) => one.type === "decimal").value;

const blanks = (text) => text.replace(/\s/g, " ");

/** The API's decimal string, the way this language writes it in a field: 1500.00 is 1.500,00. */
export function written(value) {
  if (value === null || value === undefined || value === "") return "";
  return new Intl.NumberFormat(region(), { minimumFractionDigits: decimals(value), maximumFractionDigits: 20 }).format(value);
}

/** A number that a person wrote in this language, as the API takes it: 1.500,00 is 1500.00. Throws Wrong for anything else. */
export function read(text, name) {
  const [whole, rest, ...more] = blanks(text).trim().split(decimalMark());
  const digits = whole.replace(/[^0-9]/g, "");
  // Marks between thousands stand where this language puts them, or not at all: 1.50 is neither 1,50 nor 150.
  const grouped = digits && blanks(new Intl.NumberFormat(region(), { useGrouping: "always" }).format(BigInt(digits)));
  const well = digits && (whole === digits || whole === grouped) && (rest === undefined || /^[0-9]+$/.test(rest)) && !more.length;
  if (!well) throw new Wrong(name, t("amount.wrong", { example: written("1500.00") }));
  return rest === undefined ? digits : `${digits}.${rest}`;
}

/** An amount that a person wrote in this language, with the currency beside it or not: R$ 1.500,00 is 1500.00. */
export function readMoney(text, currency, name) {
  const marks = ["symbol", "narrowSymbol", "code"].map((currencyDisplay) => {
    try {
      return new Intl.NumberFormat(region(), { style: "currency", currency, currencyDisplay }).formatToParts(1).find((one) => one.type === "currency").value;
    } catch {
      return currency; // no currency's code: the API says so
    }
  });
  let bare = blanks(text).trim();
  const mark = marks.find((one) => one && (bare.startsWith(one) || bare.endsWith(one)));
  if (mark) bare = bare.startsWith(mark) ? bare.slice(mark.length) : bare.slice(0, -mark.length);
  return read(bare, name);
}

/** A round amount, as short as it goes: for an axis. */
export const roughly = (value, currency) => new Intl.NumberFormat(region(), { style: "currency", currency, notation: "compact", maximumFractionDigits: 1, minimumFractionDigits: 0 }).format(value);

export const decimals = (value) => (String(value).split(".")[1] ?? "").length;

let zone; // the account's; before anybody has signed in, the browser's

/** Times are shown, and read, in this time zone from now on. */
export function inZone(name) {
  zone = name;
}

export function date(iso, style = { dateStyle: "medium" }) {
  return iso ? new Intl.DateTimeFormat(region(), { timeZone: zone, ...style }).format(new Date(iso)) : DASH;
}

export const zoneName = () => zone ?? new Intl.DateTimeFormat().resolvedOptions().timeZone;

/** A time that names no zone (2026-11-20T13:00), in this language. */
export const spokenTime = (text) => new Intl.DateTimeFormat(region(), { timeZone: "UTC", dateStyle: "medium", timeStyle: "short" }).format(new Date(`${text}Z`));

/** A time by the account's clock, without a zone, as a form's field and the API have it: 2026-11-20T13:00. */
export function local(iso) {
  if (!iso) return "";
  return new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "short" }).format(new Date(iso)).replace(" ", "T");
}

export const moment = (iso) => date(iso, { dateStyle: "medium", timeStyle: "short" });
export const exactly = (iso) => date(iso, { dateStyle: "medium", timeStyle: "long" });

export function clock(iso) {
  return date(iso, { day: "2-digit", month: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

const STEPS = [["day", 86400], ["hour", 3600], ["minute", 60]];

/** How long ago, or how long until. */
export function ago(iso, from = Date.now()) {
  if (!iso) return DASH;
  const seconds = (new Date(iso).getTime() - from) / 1000;
  const speaker = new Intl.RelativeTimeFormat(region(), { numeric: "auto" });
  for (const [unit, length] of STEPS) {
    if (Math.abs(seconds) >= length) return speaker.format(Math.trunc(seconds / length), unit);
  }
  return speaker.format(Math.trunc(seconds), "second");
}

/** A span of milliseconds. */
export function span(ms) {
  if (ms === null || ms === undefined) return DASH;
  const [value, unit] = ms < 1000 ? [ms, "millisecond"] : ms < 60_000 ? [ms / 1000, "second"] : [ms / 60_000, "minute"];
  const digits = value < 10 ? 1 : 0;
  return new Intl.NumberFormat(region(), { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: digits })
    .format(value);
}
