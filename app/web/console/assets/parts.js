// What pages are made of: badges, times, tables, empty states, dialogs, forms.

import { fill, h, put } from "./dom.js";
import { DASH, Wrong, ago, exactly, has, language, moment, t, word } from "./words.js";
import { CONSOLE, Refused } from "./api.js";

/** A link inside the console. */
export const link = (path, text, given) => h("a", { href: `${CONSOLE}/${path}`, ...given }, text);
/** A source by its name; its page is for those who keep sources. */
export const sourceLink = (place, id, text, given) => (place?.may("sources") ? link(`sources/${id}`, text, given) : h("span", { ...given }, text));

export const badge = (kind, name) =>
  name ? h("span", { class: `badge ${kind}-${name}`, title: name }, word(kind, name)) : DASH;

export const time = (iso, style = moment) =>
  iso ? h("time", { datetime: iso, title: exactly(iso) }, style(iso)) : DASH;

export const since = (iso) => time(iso, (one) => ago(one));

export const dash = (value) => (value === null || value === undefined || value === "" ? DASH : value);

export const code = (text) => (text ? h("code", { title: String(text).length > 20 && text }, text) : DASH);

/** Our own prose, in which `backticks` mean code. */
export const prose = (text) => (text ?? "").split("`").map((piece, at) => (at % 2 ? code(piece) : piece));

export const icon = (name) => h("span", { class: `icon icon-${name}`, "aria-hidden": "true" });

/** A page's head: its name, a line below it, and what can be done. */
export function head(title, { lead = null, actions = [], back = null } = {}) {
  return h("header", { class: "head" },
    h("div", {},
      back && h("p", { class: "back" }, link(back[0], back[1])),
      h("h1", { tabindex: "-1" }, title),
      lead && h("p", { class: "lead" }, lead)),
    h("div", { class: "actions" }, actions));
}

/** A part of a page under a heading. */
export function section(title, ...children) {
  const given = typeof title === "string" ? h("h2", {}, title) : title;
  return h("section", { class: "section" }, given, children);
}

/** A table. Columns: {name, cell(row), right?, wide?, narrow?}; on a phone every row of a table that is not `plain` becomes a card. */
export function table(columns, rows, { caption, key, plain = false } = {}) {
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", { class: plain && "plain-table" },
      h("caption", { class: "hidden" }, caption),
      h("thead", {}, h("tr", {}, columns.map((one) =>
        h("th", { scope: "col", class: one.right && "right" }, one.name)))),
      h("tbody", {}, rows.map((row) => tableRow(columns, row, key)))));
}

export function tableRow(columns, row, key) {
  return h("tr", { "data-key": key ? key(row) : null }, columns.map((one) =>
    h("td", { "data-name": one.name, class: [one.right && "right", one.class].filter(Boolean).join(" ") || null },
      h("div", { class: "cell" }, one.cell(row)))));
}

/** Facts: pairs of a name and what it is. */
export function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.filter(Boolean).map(([name, value]) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, value === null || value === undefined || value === "" ? DASH : value))));
}

export const waiting = () => h("p", { class: "waiting", role: "status" }, t("loading"));

/** Nothing is there: why, and what to do. */
export function empty(title, text, ...actions) {
  return h("div", { class: "empty" }, h("h2", {}, title), text && h("p", {}, text), actions.length > 0 && h("p", {}, actions));
}

/** A page on which there is nothing but why. */
export const alone = (title, text, ...actions) => h("div", { class: "empty" }, h("h1", { tabindex: "-1" }, title), h("p", {}, text), actions.length > 0 && h("p", {}, actions));

/** What went wrong, in words, and the way to try again. */
export function failure(error, again) {
  const [ours, theirs] = said(error);
  return h("div", { class: "notice bad", role: "alert" },
    h("p", {}, ours),
    theirs && h("p", { class: "small quiet", lang: "en" }, theirs),
    again && h("button", { type: "button", onclick: again }, t("again")));
}

/** The same as one text. */
export const explain = (error) => said(error).filter(Boolean).join(" ");

/** Words in the language that is shown, and beside them the API's, which are English. */
function said(error) {
  if (error instanceof TypeError) return [t("offline")];
  const words = String(error.message ?? error);
  const known = `problem.${error.code}`;
  return error instanceof Refused && language() !== "en" && has(known) ? [t(known), words] : [words];
}

/** A notice: what, and how grave (good, warn, bad, calm). */
export const notice = (grade, ...children) => h("div", { class: `notice ${grade}`, role: "status" }, children);

/** Runs something that a page waits for, and shows what it gives, or what went wrong. */
export async function into(place, work, { signal } = {}) {
  place.setAttribute("aria-busy", "true");
  try {
    const made = await work();
    if (!signal?.aborted) fill(place, made);
  } catch (error) {
    if (error.name === "AbortError" || signal?.aborted) return;
    if (!(error instanceof Refused) && !(error instanceof TypeError)) console.error(error);
    fill(place, failure(error, () => into(place, work, { signal })));
  } finally {
    place.removeAttribute("aria-busy");
  }
}

/** Where a short word is said; it stays when the page changes. */
export const toast = h("div", { class: "toast", role: "status", "aria-live": "polite" });
let quietAgain = 0;

/** A short word about what was done. */
export function tell(text, grade = "good") {
  clearTimeout(quietAgain);
  toast.className = `toast shown ${grade}`;
  toast.textContent = text;
  quietAgain = setTimeout(() => { toast.className = "toast"; }, 6000);
}

/** A text that can be copied with one press. */
export function copyable(text, { label = t("copy"), block = false } = {}) {
  const shown = h("code", { class: "copied", ...(block ? { tabindex: "0", role: "group", "aria-label": label } : {}) }, text);
  const press = h("button", { type: "button", class: "small", "aria-label": label, onclick: async () => {
    try {
      await navigator.clipboard.writeText(text);
      tell(t("copied"));
    } catch {
      getSelection().selectAllChildren(shown);
      tell(t("copy.by.hand"), "warn");
    }
  } }, t("copy"));
  return h("div", { class: block ? "copyable block" : "copyable" }, shown, press);
}

/** A dialog; Esc closes it. `make(close)` gives what is in it. */
export function dialog(title, make, { onclose } = {}) {
  const box = h("dialog", { "aria-labelledby": "dialog-title", onclose: () => { box.remove(); onclose?.(); } });
  const close = () => box.close();
  put(box, [
    h("header", {}, h("h2", { id: "dialog-title" }, title),
      h("button", { type: "button", class: "plain", "aria-label": t("close"), onclick: close }, "×")),
    make(close),
  ]);
  document.body.append(box);
  box.showModal();
  return close;
}

/** Asks before something is done that cannot be undone. */
export function confirm(title, text, label, act) {
  dialog(title, (close) => form([], {
    before: h("p", {}, text), submit: label, grave: true, onsubmit: async () => { await act(); close(); }, oncancel: close,
  }));
}

let numbered = 0;

/** A field of a form: {name, label, type?, value?, hint?, options?: [[value, label]…], required?, …}. */
export function field(given) {
  const { name, label, type = "text", value = "", hint, options, required, wide, ...more } = given;
  const id = `f${(numbered += 1)}`;
  const about = [hint && `${id}-hint`, `${id}-error`].filter(Boolean).join(" ");
  const attributes = { id, name, required, "aria-describedby": about, ...more };
  let control;
  if (options) {
    control = h("select", attributes, options.map(([key, text]) => h("option", { value: key }, text)));
    control.value = value ?? "";
  } else if (type === "area") {
    control = h("textarea", { rows: 4, ...attributes, value });
  } else if (type === "check") {
    control = h("input", { ...attributes, type: "checkbox", checked: Boolean(value) });
  } else {
    control = h("input", { ...attributes, type, value: value ?? "" });
  }
  const parts = [
    h("label", { for: id }, label, required && h("span", { class: "needed", "aria-hidden": "true" }, " *")),
    control,
    hint && h("p", { class: "hint", id: `${id}-hint` }, hint),
    h("p", { class: "wrong", id: `${id}-error`, hidden: true }),
  ];
  if (type === "check") parts.splice(0, 2, h("span", { class: "check" }, control, parts[0]));
  const box = h("div", { class: `field${wide ? " wide" : ""}` }, parts);
  box.dataset.field = name;
  return box;
}

/** Several boxes to tick under one name: {name, label, options: [[value, label]…], chosen?, hint?}; `ticked` reads them. */
export function checks({ name, label, options, chosen = [], hint }) {
  const id = `f${(numbered += 1)}`;
  const box = h("fieldset", { class: "field wide", "aria-describedby": hint && `${id}-hint` },
    h("legend", { class: "label" }, label),
    h("div", { class: "checks" }, options.map(([value, text], at) => h("span", { class: "check" },
      h("input", { type: "checkbox", id: `${id}-${at}`, name, value, checked: chosen.includes(value) }), h("label", { for: `${id}-${at}` }, text)))),
    hint && h("p", { class: "hint", id: `${id}-hint` }, hint),
    h("p", { class: "wrong", hidden: true }));
  box.dataset.field = name;
  return box;
}

/** What is ticked of the boxes under this name. */
export const ticked = (element, name) => [...element.querySelectorAll("input:checked")].filter((one) => one.name === name).map((one) => one.value);

/** The values of a form by name; a checkbox is true or false. */
export function values(element) {
  const found = {};
  for (const one of element.elements) {
    if (one.name) found[one.name] = one.type === "checkbox" ? one.checked : one.value.trim();
  }
  return found;
}

/** A form. `onsubmit(values, form)` may throw Refused: its words go to the fields they are about. */
export function form(fields, { submit, onsubmit, oncancel, before = null, after = null, grave = false }) {
  const told = h("div", { "aria-live": "polite" });
  const press = h("button", { type: "submit", class: grave ? "primary grave" : "primary" }, submit);
  const element = h("form", { class: "form", novalidate: false, onsubmit: async (event) => {
    event.preventDefault();
    clear(element);
    fill(told);
    press.disabled = true;
    try {
      await onsubmit(values(element), element);
    } catch (error) {
      if (![Refused, TypeError, Wrong].some((one) => error instanceof one)) console.error(error);
      mark(element, error.fields ?? {}, error instanceof Refused);
      fill(told, failure(error));
    } finally {
      press.disabled = false;
    }
  } }, before, h("div", { class: "fields" }, fields), after, told,
  h("div", { class: "buttons" }, press,
    oncancel && h("button", { type: "button", onclick: oncancel }, t("cancel"))));
  return element;
}

function clear(element) {
  for (const one of element.querySelectorAll(".wrong")) one.hidden = true;
  for (const one of element.querySelectorAll("[aria-invalid]")) one.removeAttribute("aria-invalid");
}

function mark(element, wrong, theirs) {
  for (const [name, message] of Object.entries(wrong)) {
    const box = [...element.querySelectorAll("[data-field]")].find((one) => name === one.dataset.field
      || name.startsWith(`${one.dataset.field}.`));
    const line = box?.querySelector(".wrong");
    if (!line) continue;
    line.textContent = message;
    if (theirs) line.lang = "en";
    else line.removeAttribute("lang");
    line.hidden = false;
    box.querySelector("input, select, textarea")?.setAttribute("aria-invalid", "true");
  }
}

/** A row of choices of which one holds: [[value, label]…]. */
export function choices(label, options, chosen, onchoose) {
  return h("div", { class: "choices", role: "group", "aria-label": label }, options.map(([value, text]) =>
    h("button", { type: "button", "aria-pressed": String(value === chosen), onclick: () => onchoose(value) }, text)));
}

/** The filters of a list. What is set stands in the address, so that a link shares it. A phone shows the first at first. */
export function filters(fields, query, change) {
  const bar = h("form", { class: "filters", role: "search", "aria-label": t("filters"), onsubmit: (event) => {
    event.preventDefault();
    change(wanted());
  } }, fields,
  h("button", { type: "button", class: "more-filters", onclick: () => bar.classList.remove("few") }, t("filters.more")),
  h("button", { type: "submit", class: "hidden" }, t("apply")));
  bar.classList.toggle("few", ![...query.keys()].some((name) => !["q", "cursor"].includes(name)));
  const wanted = () => Object.fromEntries(Object.entries(values(bar)).filter(([, value]) => value !== ""));
  bar.addEventListener("change", () => change(wanted()));
  return bar;
}

/** One filter: small, its label inside. */
export function filter(given) {
  const box = field(given);
  box.classList.add("filter");
  return box;
}

/** The way to a list's next page. */
export function pager(next, query, turn) {
  const first = Boolean(query.get("cursor"));
  if (!next && !first) return null;
  return h("nav", { class: "pager", "aria-label": t("pages") },
    first && h("button", { type: "button", onclick: () => turn(null) }, t("page.first")),
    next && h("button", { type: "button", onclick: () => turn(next) }, t("page.next")));
}

/** Milliseconds between arrival and commit; null where either is unknown. */
export function took(row) {
  if (!row.received_at || !row.committed_at || row.attempts > 1) return null;
  const ms = micro(row.committed_at) - micro(row.received_at);
  return ms >= 0 ? ms : null;
}

/** Milliseconds with their fraction: Date alone keeps three digits of the six. */
function micro(iso) {
  const fraction = /\.(\d{3})(\d+)/.exec(iso);
  return new Date(iso).getTime() + (fraction ? Number(`0.${fraction[2]}`) : 0);
}
