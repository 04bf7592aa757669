// The console: signs in, shows the page that the address names, and leaves the rest to the pages.

import { CONSOLE, api, whenSignedOut } from "./api.js";
import { fill, h } from "./dom.js";
import { recall, remember } from "./memory.js";
import { alone, failure, icon, link, toast, waiting } from "./parts.js";
import { inZone, language, languages, speak, t } from "./words.js";
import { contact, contacts } from "./pages/contacts.js";
import { deliveries } from "./pages/deliveries.js";
import { delivery } from "./pages/delivery.js";
import { importOrders } from "./pages/import.js";
import { duplicates } from "./pages/duplicates.js";
import { order, orderEdit, orderNew, orders } from "./pages/orders.js";
import { overview } from "./pages/overview.js";
import { panel } from "./pages/panel.js";
import { settings } from "./pages/settings.js";
import { signIn } from "./pages/signin.js";
import { source, sourceNew, sources } from "./pages/sources.js";
import { subscription, subscriptionNew, subscriptions } from "./pages/subscriptions.js";

// Address, page, who may see it, and under which entry of the menu it stands.
const PAGES = [
  ["", overview, "log", ""],
  ["deliveries", deliveries, "log", "deliveries"],
  ["deliveries/:id", delivery, "log", "deliveries"],
  ["sources", sources, "sources", "sources"],
  ["sources/new", sourceNew, "sources", "sources"],
  ["sources/:id", source, "sources", "sources"],
  ["contacts", contacts, "read", "contacts"],
  ["contacts/duplicates", duplicates, "manage", "contacts"],
  ["contacts/:id", contact, "read", "contacts"],
  ["orders", orders, "read", "orders"],
  ["orders/new", orderNew, "manage", "orders"],
  ["orders/import", importOrders, "manage", "orders"],
  ["orders/:id", order, "read", "orders"],
  ["orders/:id/edit", orderEdit, "manage", "orders"],
  ["subscriptions", subscriptions, "log", "subscriptions"],
  ["subscriptions/new", subscriptionNew, "subscriptions", "subscriptions"],
  ["subscriptions/:id", subscription, "log", "subscriptions"],
  ["settings", settings, "account", "settings"],
];
const MENU = [
  ["", "log", "overview"], ["deliveries", "log", "deliveries"], ["sources", "sources", "sources"],
  ["contacts", "read", "contacts"], ["orders", "read", "orders"], ["subscriptions", "log", "subscriptions"], ["settings", "account", "settings"],
];

let session = null;
let leaving = new AbortController();

/** What stands on the screen; a word that was just said stays on it. */
const dress = (...made) => fill(document.body, ...made, toast);

const may = (permission) => session?.permissions.includes(permission) ?? false;

/** The address as the pages know it: without what the console stands below. */
function here() {
  return decodeURI(location.pathname).slice(CONSOLE.length).replace(/^\/|\/$/g, "");
}

function found(path) {
  for (const [pattern, page, permission, entry] of PAGES) {
    const names = [];
    const shape = pattern.replace(/:(\w+)/g, (_, name) => (names.push(name), "([^/]+)"));
    const match = new RegExp(`^${shape}$`).exec(path);
    if (match) {
      const params = Object.fromEntries(names.map((name, at) => [name, decodeURIComponent(match[at + 1])]));
      return { page, permission, entry, params };
    }
  }
  return null;
}

export function go(path, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", `${CONSOLE}/${path}`);
  draw();
}

function setQuery(query, { replace = false } = {}) {
  const words = new URLSearchParams(query).toString();
  history[replace ? "replaceState" : "pushState"](null, "", location.pathname + (words ? `?${words}` : ""));
}

async function draw({ focus = true } = {}) {
  leaving.abort();
  leaving = new AbortController();
  if (here() === "panel") {
    document.body.className = "framed";
    dress(h("main", { id: "main" }, panel({ query: new URLSearchParams(location.search), signal: leaving.signal, toggles })));
    return;
  }
  if (!session) return drawSignIn();
  const at = found(here());
  const main = h("main", { id: "main", tabindex: "-1" });
  document.body.className = "";
  dress(frame(at?.entry, main));
  if (here() === "" && !may("log")) return go(may("read") ? "contacts" : "none", { replace: true });
  if (!at) return fill(main, alone(t("lost.title"), t("lost.text"), link("", t("lost.home"))));
  if (!may(at.permission)) return fill(main, alone(t("forbidden.title"), t("forbidden.text", { role: session.role })));
  const signal = leaving.signal;
  const place = { params: at.params, query: new URLSearchParams(location.search), session, may, signal, go, setQuery, redraw: draw };
  fill(main, waiting());
  try {
    const made = await at.page(place);
    if (signal.aborted) return;
    fill(main, made);
    document.title = `${main.querySelector("h1")?.textContent ?? ""} · ${t("product")}`;
    if (focus) main.querySelector("h1")?.focus({ preventScroll: true });
    scrollTo(0, 0);
  } catch (error) {
    if (error.name === "AbortError" || signal.aborted) return;
    if (error.status === 404) return fill(main, alone(t("missing.title"), t("missing.text")));
    fill(main, failure(error, () => draw()));
  }
}

function drawSignIn() {
  document.title = `${t("sign.in")} · ${t("product")}`;
  document.body.className = "signing";
  dress(h("main", { id: "main" }, signIn({ done: (opened) => { enter(opened); draw(); } }), toggles()));
}

function enter(opened) {
  session = opened;
  inZone(opened.account.timezone);
}

function frame(entry, main) {
  const menu = h("nav", { id: "menu", "aria-label": t("menu") },
    h("ul", {}, MENU.filter(([, permission]) => may(permission)).map(([path, , name]) =>
      h("li", {}, link(path, [icon(name), t(name)], { "aria-current": path === entry ? "page" : null })))));
  const opener = h("button", { type: "button", class: "opener plain", "aria-expanded": "false", "aria-controls": "side",
    onclick: () => toggle() }, t("menu"));
  const side = h("aside", { id: "side" }, h("div", { class: "rail" },
    menu,
    h("div", { class: "who" },
      h("p", { class: "account" }, session.account.name),
      h("p", { class: "member" }, session.member_name ?? session.member_id ?? "", " · ", t(`role.${session.role}`)),
      toggles(),
      h("button", { type: "button", class: "small", onclick: signOut }, t("sign.out")))));
  const toggle = (open = !side.classList.contains("open")) => {
    side.classList.toggle("open", open);
    opener.setAttribute("aria-expanded", String(open));
  };
  side.addEventListener("keydown", (event) => { if (event.key === "Escape") { toggle(false); opener.focus(); } });
  return [
    h("a", { class: "skip", href: "#main", onclick: (event) => { event.preventDefault(); main.focus(); } }, t("skip")),
    h("header", { class: "bar" }, link("", [h("span", { class: "mark", "aria-hidden": "true" }), t("product")], { class: "brand" }), opener),
    side,
    h("div", { class: "page" },
      session.account.orders_enabled ? null : h("div", { class: "notice warn", role: "status" }, t("registry.off")),
      main),
  ];
}

/** The switches of theme and language. */
function toggles() {
  const theme = document.documentElement.dataset.theme ?? "auto";
  const pick = h("select", { "aria-label": t("theme"), onchange: (event) => {
    const chosen = event.target.value;
    if (chosen === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = chosen;
    remember("theme", chosen === "auto" ? null : chosen);
  } }, ["auto", "light", "dark"].map((one) => h("option", { value: one }, t(`theme.${one}`))));
  pick.value = theme;
  const talk = h("select", { "aria-label": t("language"), onchange: (event) => { speak(event.target.value); draw(); } },
    Object.entries(languages).map(([name, text]) => h("option", { value: name, lang: name }, text)));
  talk.value = language();
  return h("div", { class: "toggles" }, pick, talk);
}

async function signOut() {
  try {
    await api.delete("/v1/session");
  } finally {
    remember("signed-in", null);
    session = null;
    go("");
  }
}

function followInside(event) {
  const anchor = event.target.closest?.("a[href]");
  if (!anchor || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const url = new URL(anchor.href);
  if (url.origin !== location.origin || !`${url.pathname}/`.startsWith(`${CONSOLE}/`) || anchor.target || anchor.hasAttribute("download")) return;
  event.preventDefault();
  history.pushState(null, "", url.pathname + url.search);
  draw();
}

function toSearch(event) {
  const writing = /^(input|select|textarea)$/i.test(event.target.tagName) || event.target.isContentEditable;
  if (event.key !== "/" || writing || event.ctrlKey || event.metaKey || event.altKey) return;
  const search = document.querySelector("[data-search]");
  if (search) {
    event.preventDefault();
    search.focus();
  }
}

async function begin() {
  document.documentElement.lang = language();
  document.addEventListener("click", followInside);
  document.addEventListener("keydown", toSearch);
  addEventListener("popstate", () => draw());
  whenSignedOut(() => {
    remember("signed-in", null);
    session = null;
    if (here() !== "panel") drawSignIn();
  });
  if (here() !== "panel" && recall("signed-in")) {
    try {
      enter(await api.get("/v1/session", {}, { quiet: true }));
    } catch (error) {
      if (error.status !== 401) return dress(h("main", { id: "main" }, failure(error, () => location.reload())));
      remember("signed-in", null);
    }
  }
  draw({ focus: false });
}

begin();
