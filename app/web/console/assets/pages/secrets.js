// Secrets of sources and subscriptions: which are in force, rotated with overlap, revoked, shown once.

import { api, part } from "../api.js";
import { h } from "../dom.js";
import { code, confirm, copyable, dialog, field, form, since, table, tell, time } from "../parts.js";
import { moment, t } from "../words.js";

const OVERLAPS = ["0s", "1h", "24h", "7d", "30d"];

export const counts = (secret) => !secret.revoked_at && (!secret.expires_at || new Date(secret.expires_at) > new Date());

/** The secrets below an address of the API, and the way to rotate them; `fields` are those of a new one beside its overlap. */
export function secretsOf(path, secrets, place, fields = []) {
  const rows = [...secrets].sort((a, b) => b.created_at.localeCompare(a.created_at));
  return [
    rows.length ? table([
      { name: t("secret"), cell: (row) => code(row.id) },
      { name: t("made"), cell: (row) => time(row.created_at) },
      { name: t("state"), cell: (row) => lifetime(row) },
      { name: t("actions"), right: true, cell: (row) => (counts(row) ? h("button", { type: "button", class: "small grave", onclick: () =>
        confirm(t("revoke"), t("revoke.text"), t("revoke"), async () => {
          await api.delete(`${path}/secrets/${part(row.id)}`);
          tell(t("revoked"));
          place.redraw();
        }) }, t("revoke")) : null) },
    ], rows, { caption: t("secrets") }) : null,
    h("div", { class: "buttons" }, h("button", { type: "button", onclick: () => rotate(path, place, fields) }, t("rotate"))),
  ];
}

function lifetime(row) {
  if (row.revoked_at) return [h("span", { class: "tag" }, t("revoked")), " ", since(row.revoked_at)];
  if (!row.expires_at) return h("span", { class: "tag good" }, t("counts"));
  if (!counts(row)) return [h("span", { class: "tag" }, t("ended")), " ", since(row.expires_at)];
  return [h("span", { class: "tag warn" }, t("counts.until")), " ", time(row.expires_at, moment)];
}

function rotate(path, place, fields) {
  dialog(t("rotate"), (close) => form([
    ...fields,
    field({ name: "overlap", label: t("overlap"), value: "24h", options: OVERLAPS.map((span) => [span, t(`overlap.${span}`)]), hint: t("overlap.hint") }),
  ], { submit: t("rotate.do"), oncancel: close, onsubmit: async (given) => {
    const made = await api.post(`${path}/secrets`, { overlap: given.overlap, ...(given.secret ? { secret: given.secret } : {}) });
    close();
    tell(t("rotated", { at: moment(made.older_secrets_end_at) }));
    place.redraw();
    if (made.secret) shownOnce(made.secret);
  } }));
}

/** A secret that was made here, shown this once. */
export function shownOnce(secret) {
  dialog(t("secret.once"), (close) => h("div", {}, h("p", {}, t("secret.once.text")), copyable(secret, { block: true }),
    h("div", { class: "buttons" }, h("button", { type: "button", class: "primary", onclick: close }, t("secret.kept")))));
}
