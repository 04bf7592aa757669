"""`contacts` and parts of `privacy`: find, merge, export and erase people; carry out privacy requests."""

from typing import Annotated, Any

import typer

from app.cli.commands.deliveries import privacy
from app.cli.output import Account, Json, Misuse, Yes, as_json, command, confirm, facts, group, table, when

contacts = group("Find, merge, export and erase contacts.")

Contact = Annotated[str, typer.Argument(metavar="CONTACT", help="The contact's id (cnt_…) or its CRM id.")]
Identity = Annotated[str | None, typer.Option(help="Known by this.")]


def _path(contact: str, rest: str = "") -> str:
    from urllib.parse import quote

    return f"/v1/contacts/{quote(contact, safe='')}{rest}"


def _identities(found: list[dict[str, Any]]) -> list[str]:
    return [f"{one['kind']} {one['value']}" for one in found]


def _tell(found: dict[str, Any], json: bool) -> None:
    as_json(found) if json else facts(
        {
            **{name: found[name] for name in ("id", "crm_id", "name")},
            "owner": found["owner_name"] or found["owner_id"],
            "identities": _identities(found["identities"]),
            "conflicts": _identities(found["identity_conflicts"]),
        }
    )


@command(contacts, "show", "contacts show 42")
def show(contact: Contact, account: Account = None, json: Json = False) -> None:
    """Show one contact with its identities."""
    from app.cli.client import opened

    with opened("contacts show") as door:
        found = door.get(_path(contact), account=door.account(account))
    _tell(found, json)


@command(contacts, "summary", "contacts summary 42")
def summary(contact: Contact, account: Account = None, json: Json = False) -> None:
    """Show the totals of a contact, per currency. Test orders are left out."""
    from app.cli.client import opened

    with opened("contacts summary") as door:
        found = door.get(_path(contact, "/summary"), account=door.account(account))
    if json:
        as_json(found)
        return
    names = ("currency", "orders", "gross", "refunded", "net", "open", "average_order_value")
    rows = [[*(one[name] for name in names), when(one["last_ordered_at"])] for one in found["currencies"]]
    table(None, (*(name.replace("_", " ") for name in names), "last order"), rows)


@command(contacts, "find", "contacts find ana", "contacts find --email ana@example.com")
def find(
    text: Annotated[
        str | None,
        typer.Argument(metavar="TEXT", help="A part of the name, an e-mail, phone, document or id, or an order's id."),
    ] = None,
    email: Identity = None,
    phone: Identity = None,
    document: Identity = None,
    crm_id: Identity = None,
    account: Account = None,
    json: Json = False,
) -> None:
    """Find contacts by name, e-mail, phone, document, CRM id or order."""
    from app.cli.client import opened

    named = {"email": email, "phone": phone, "document": document, "crm_id": crm_id}
    if text is not None and any(named.values()):
        raise Misuse("give a text, or one identity")
    with opened("contacts find") as door:
        found = door.get("/v1/contacts", account=door.account(account), q=text, **named)
    if json:
        as_json(found)
        return
    rows = [(one["id"], one["crm_id"], one["name"], _identities(one["identities"])) for one in found["data"]]
    table(None, ("contact", "crm id", "name", "known by"), rows)


@command(
    contacts, "split", "contacts split cnt_01J… --order ord_01J…", "contacts split 42 --identity email:bia@example.com"
)
def split(
    contact: Contact,
    identity: Annotated[
        list[str] | None, typer.Option("--identity", help="One that is somebody else's, KIND:VALUE. Can be repeated.")
    ] = None,
    order: Annotated[
        list[str] | None, typer.Option("--order", help="An order that is somebody else's. Can be repeated.")
    ] = None,
    account: Account = None,
    json: Json = False,
) -> None:
    """Make a contact of what belongs to somebody else. Later deliveries follow."""
    from app.cli.client import opened

    named = [one.partition(":") for one in identity or []]
    if wrong := [one for one in named if not one[2]]:
        raise Misuse(f"--identity {wrong[0][0]!r}: write it as KIND:VALUE")
    body = {"identities": [{"kind": kind, "value": value} for kind, _, value in named], "orders": order or []}
    with opened("contacts split") as door:
        done = door.post(_path(contact, "/split"), body, account=door.account(account))
    if json:
        as_json(done)
        return
    moved = ", ".join(f"{many} {what}" for what, many in done["moved"].items())
    facts({"contact": done["contact"]["id"], "split off": done["split_off"]["id"], "moved": moved})


@command(contacts, "keep-apart", "contacts keep-apart 42 43")
def keep_apart(
    contact: Contact,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="The contact that is somebody else.")],
    account: Account = None,
    json: Json = False,
) -> None:
    """Say that two contacts are two people. No delivery joins them."""
    from app.cli.client import opened

    with opened("contacts keep-apart") as door:
        found = door.post(_path(contact, "/keep-apart"), {"other": other}, account=door.account(account))
    _tell(found, json)


@command(contacts, "duplicates", "contacts duplicates --account acme")
def duplicates(account: Account = None, json: Json = False) -> None:
    """List pairs that may be one person, with what they share and what speaks against it."""
    from app.cli.client import opened

    with opened("contacts duplicates") as door:
        found = door.all_of("/v1/possible-duplicates", account=door.account(account))
    if json:
        as_json(found)
        return
    rows = [
        (
            _called(one["contact"]),
            _called(one["other"]),
            f"{one['shared']['kind']} {one['shared']['value']}",
            ", ".join(one["against"]),
            when(one["told_at"]),
        )
        for one in found["data"]
    ]
    table(None, ("contact", "other", "both told", "against", "last told"), rows)


def _called(one: dict[str, Any]) -> str:
    return f"{one['id']} {one['name'] or ''}".strip()


@command(contacts, "proposals", "contacts proposals --account acme")
def proposals(account: Account = None, json: Json = False) -> None:
    """List contacts whose orders are several people's by today's rule. Nothing is changed: `contacts split` does that."""
    from app.cli.client import opened

    with opened("contacts proposals") as door:
        found = door.all_of("/v1/split-proposals", account=door.account(account))
    if json:
        as_json(found)
        return
    rows = [
        (
            one["contact"]["id"],
            "stays" if part["stays"] else "split off",
            part["name"],
            _identities(part["identities"]),
            part["orders"],
        )
        for one in found["data"]
        for part in one["parts"]
    ]
    table(None, ("contact", "part", "name", "known by", "orders"), rows)


@command(contacts, "merge", "contacts merge 43 42")
def merge(
    contact: Contact,
    into: Annotated[str, typer.Argument(metavar="INTO", help="The contact that stays.")],
    account: Account = None,
    json: Json = False,
) -> None:
    """Merge a contact into another. Its id then leads to the other one."""
    from app.cli.client import opened

    with opened("contacts merge") as door:
        done = door.post(_path(contact, "/merge"), {"into": into}, account=door.account(account))
    _moved(done, json)


@command(contacts, "unmerge", "contacts unmerge 43")
def unmerge(contact: Contact, account: Account = None, json: Json = False) -> None:
    """Undo a merge. The contact gets back what moved. What came since then stays where it is."""
    from app.cli.client import opened

    with opened("contacts unmerge") as door:
        done = door.post(_path(contact, "/unmerge"), account=door.account(account))
    _moved(done, json)


def _moved(done: dict[str, Any], json: bool) -> None:
    if json:
        as_json(done)
        return
    moved = ", ".join(f"{many} {what}" for what, many in done["moved"].items())
    facts({"contact": done["contact_id"], "survivor": done["survivor_id"], "moved": moved})


@command(contacts, "conflicts", "contacts conflicts --account acme")
def conflicts(account: Account = None, json: Json = False) -> None:
    """List identities that a source gave to one contact but that belong to another."""
    from app.cli.client import opened

    with opened("contacts conflicts") as door:
        found = door.all_of("/v1/identity-conflicts", account=door.account(account))
    if json:
        as_json(found)
        return
    rows = [
        (
            one["contact_id"],
            one["kind"],
            one["value"],
            one["belongs_to"],
            one["told_by"] or "the CRM",
            when(one["told_at"]),
        )
        for one in found["data"]
    ]
    table(None, ("told of", "identity", "value", "belongs to", "told by", "last told"), rows)


@command(contacts, "export", "contacts export 42 > ana.json")
def export(contact: Contact, account: Account = None, json: Json = False) -> None:
    """Export everything that is stored about a person, with its source and time. Always JSON."""
    from app.cli.client import opened

    with opened("contacts export") as door:
        found = door.get(_path(contact, "/export"), account=door.account(account))
    as_json(found)


@command(contacts, "erase", "contacts erase 42 --dry-run", "contacts erase 42 --yes")
def erase(
    contact: Contact,
    yes: Yes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would take.")] = False,
    account: Account = None,
    json: Json = False,
) -> None:
    """Erase a person. This cannot be undone, and later deliveries do not bring them back."""
    from app.cli.client import opened

    if dry_run:
        with opened("contacts erase") as door:
            found = door.ask("DELETE", _path(contact), account=door.account(account), query={"dry_run": "true"})
        if json:
            as_json(found)
            return
        facts({"would take": ", ".join(f"{many} {what}" for what, many in found["counts"].items() if many)})
        rows = [(one["kind"], one["value"], one["shared_with"]) for one in found["identities"]]
        table(None, ("identity", "value", "shared with"), rows)
        return
    confirm(f"Erase {contact} for good?", yes=yes, lost="erasing")
    with opened("contacts erase") as door:
        proof = door.ask("DELETE", _path(contact), account=door.account(account))
    _proved(proof, json)


def _proved(proof: dict[str, Any], json: bool) -> None:
    if json:
        as_json(proof)
        return
    counts = ", ".join(f"{many} {what}" for what, many in proof["counts"].items() if many)
    facts({"done": proof["action"], "proof": proof["id"], "at": when(proof["done_at"]), "counts": counts})


@command(privacy, "carry-out", "privacy carry-out dlv_01J…")
def carry_out(
    request: Annotated[str, typer.Argument(metavar="REQUEST", help="The request's id, as shown by `privacy list`.")],
    json: Json = False,
) -> None:
    """Carry out a privacy request: erase the person's data, or print it for hand-over (JSON)."""
    from app.cli.client import opened

    with opened("privacy carry-out") as door:
        done = door.post(f"/v1/privacy/requests/{request}/carry-out", account=door.owner(request))
    if done["export"] is not None:
        as_json(done if json else done["export"])
    else:
        _proved(done if json else done["proof"], json)


@command(privacy, "proofs", "privacy proofs --email ana@example.com")
def proofs(
    email: Identity = None,
    phone: Identity = None,
    document: Identity = None,
    crm_id: Identity = None,
    account: Account = None,
    json: Json = False,
) -> None:
    """List the proofs of erasures and exports. With an identity: show whether this person was erased."""
    from app.cli.client import opened

    named = {"email": email, "phone": phone, "document": document, "crm_id": crm_id}
    with opened("privacy proofs") as door:
        at = door.account(account)
        if any(named.values()):
            found = door.get("/v1/privacy/proofs", account=at, **named)
        else:
            found = door.all_of("/v1/privacy/proofs", account=at)
    if json:
        as_json(found)
        return
    rows = [
        (
            one["id"],
            one["action"],
            one["source_name"] or one["source_id"],
            one["member_name"] or one["member_id"],
            when(one["done_at"]),
            one["counts"],
        )
        for one in found["data"]
    ]
    table(None, ("proof", "done", "source", "by", "at", "counts"), rows)
