// Possible duplicates, worked off one pair after the other: merge, keep apart, next, each with one key.

import { api, everything, part } from "../api.js";
import { fill, h } from "../dom.js";
import { empty, explain, facts, head, into, link, section, tell, time } from "../parts.js";
import { money, number, t, word } from "../words.js";

const MOST = 1000; // pairs of one visit

export async function duplicates(place) {
  const { rows, more } = await everything("/v1/possible-duplicates", {}, { most: MOST, signal: place.signal });
  const queue = pairsOf(rows);
  const box = h("div", { "aria-live": "polite" });
  const done = h("p", { class: "quiet" });
  let acts = {};
  let working = false;

  /** Does one thing at a time; what is refused is said, and the pair stays. */
  async function act(name) {
    if (working || !acts[name]) return;
    working = true;
    try {
      await acts[name]();
    } catch (error) {
      tell(explain(error), "bad");
    } finally {
      working = false;
    }
  }

  function button(name, given = {}) {
    const key = t(`dup.${name}.key`);
    return h("button", { type: "button", "aria-keyshortcuts": key, onclick: () => act(name), ...given }, t(`dup.${name}`), " ", h("kbd", {}, key.toUpperCase()));
  }

  async function draw() {
    acts = { undo: acts.undo };
    const pair = queue[0];
    if (!pair) {
      fill(box, empty(t("dup.none"), t("dup.none.text"), link("contacts", t("contacts"), { class: "button" })));
      return;
    }
    await into(box, async () => {
      const [one, other] = await Promise.all([pair.contact, pair.other].map((each) => whole(each.id, place)));
      if (one.id === other.id) { // somebody merged them meanwhile
        queue.shift();
        return draw();
      }
      // The one that the CRM knows stays; of two such, or none, the older.
      const [kept, gone] = [one, other].sort((a, b) => Boolean(b.crm_id) - Boolean(a.crm_id) || a.created_at.localeCompare(b.created_at));
      acts = { undo: acts.undo,
        merge: async () => {
          await api.post(`/v1/contacts/${part(gone.id)}/merge`, { into: kept.id });
          worked(pair, t("dup.merged", { one: called(gone), other: called(kept) }), async () => {
            await api.post(`/v1/contacts/${part(gone.id)}/unmerge`);
            queue.unshift(pair);
          });
        },
        apart: async () => {
          await api.post(`/v1/contacts/${part(kept.id)}/keep-apart`, { other: gone.id });
          worked(pair, t("dup.kept", { one: called(kept), other: called(gone) }), null);
        },
        next: async () => {
          queue.push(queue.shift());
          await draw();
        } };
      return [
        h("p", { class: "quiet" }, t("dup.left", { count: queue.length }), more && ` ${t("dup.more")}`),
        h("div", { class: "duel" }, card(kept, t("dup.stays")), card(gone, t("dup.goes"))),
        h("div", { class: "pair" },
          section(t("dup.for"), h("ul", { class: "said" }, pair.shared.map((each) => h("li", {}, h("strong", {}, word("identity", each.kind)), " ", each.value,
            h("span", { class: "sub" }, [each.told_by ? each.told_by_name ?? each.told_by : t("dup.crm"), " · ", time(each.told_at)]))))),
          section(t("dup.against"), pair.against.length ? h("ul", { class: "said" }, pair.against.map((each) => h("li", {}, t(`dup.against.${each}`)))) : h("p", { class: "quiet" }, t("dup.against.none")))),
        h("div", { class: "buttons" }, button("merge", { class: "primary" }), button("apart"), queue.length > 1 && button("next")),
      ];
    }, { signal: place.signal });
  }

  function worked(pair, said, undo) {
    const at = queue.indexOf(pair);
    if (at >= 0) queue.splice(at, 1);
    acts.undo = undo && (async () => {
      await undo();
      acts.undo = null;
      fill(done);
      await draw();
    });
    fill(done, said, " ", undo && button("undo", { class: "small" }));
    draw();
  }

  const pressed = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || /^(input|select|textarea)$/i.test(event.target.tagName) || document.querySelector("dialog[open]")) return;
    const name = ["merge", "apart", "next", "undo"].find((one) => t(`dup.${one}.key`) === event.key.toLowerCase());
    if (!name || !acts[name]) return;
    event.preventDefault();
    act(name);
  };
  document.addEventListener("keydown", pressed, { signal: place.signal });
  await draw();
  const keys = ["merge", "apart", "next", "undo"].map((one) => [h("kbd", {}, t(`dup.${one}.key`).toUpperCase()), ` ${t(`dup.${one}`)} `]);
  return [head(t("dup"), { back: ["contacts", t("contacts")], lead: [t("dup.text"), " ", keys] }), done, box];
}

/** The pairs, each once, with everything that both were told to have. */
function pairsOf(rows) {
  const found = new Map();
  for (const row of rows) {
    const key = [row.contact.id, row.other.id].sort().join(" ");
    const pair = found.get(key) ?? { contact: row.contact, other: row.other, against: row.against, shared: [] };
    pair.shared.push({ ...row.shared, told_by: row.told_by, told_by_name: row.told_by_name, told_at: row.told_at });
    found.set(key, pair);
  }
  return [...found.values()];
}

async function whole(id, place) {
  const [one, sums] = await Promise.all([
    api.get(`/v1/contacts/${part(id)}`, {}, { signal: place.signal }),
    api.get(`/v1/contacts/${part(id)}/summary`, {}, { signal: place.signal }),
  ]);
  return { ...one, sums: sums.currencies };
}

const called = (one) => one.name ?? one.identities.find((each) => each.kind !== "source")?.value ?? one.id;

function card(one, what) {
  return h("article", { class: "card" },
    h("p", { class: "quiet small" }, what),
    h("h2", {}, link(`contacts/${part(one.id)}`, called(one))),
    facts([
      [t("crm.id"), one.crm_id],
      ...one.identities.filter((each) => each.kind !== "crm").map((each) => [word("identity", each.kind), each.value]),
      ...one.sums.map((sum) => [`${t("orders")} · ${sum.currency}`, `${number(sum.orders)} · ${money(sum.net, sum.currency)}`]),
      [t("made"), time(one.created_at)],
    ]));
}
