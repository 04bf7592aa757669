"""`contacts` and parts of `privacy`: find, merge, export and erase people; carry out privacy requests."""

from typing import Annotated, Any

import typer

from app.cli.commands.deliveries import privacy
from app.cli.output import Account, Json, Misuse, as_json, command, facts, group, on_terminal, table, when

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
            **{name: found[name] for name in ("id", "crm_id", "name", "owner_id")},
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


@command(contacts, "find", "contacts find --email ana@example.com")
def find(
    email: Identity = None,
    phone: Identity = None,
    document: Identity = None,
    crm_id: Identity = None,
    account: Account = None,
    json: Json = False,
) -> None:
    """Find a contact by e-mail, phone, document or CRM id."""
    from app.cli.client import opened

    with opened("contacts find") as door:
        found = door.get(
            "/v1/contacts", account=door.account(account), email=email, phone=phone, document=document, crm_id=crm_id
        )
    if json:
        as_json(found)
        return
    rows = [(one["id"], one["crm_id"], one["name"], _identities(one["identities"])) for one in found["data"]]
    table(None, ("contact", "crm id", "name", "known by"), rows)


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


@command(contacts, "erase", "contacts erase 42 --yes")
def erase(
    contact: Contact,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    account: Account = None,
    json: Json = False,
) -> None:
    """Erase a person. This cannot be undone, and later deliveries do not bring them back."""
    from app.cli.client import opened

    if not yes:
        if not on_terminal():
            raise Misuse("erasing cannot be undone: confirm with --yes")
        if not typer.confirm(f"Erase {contact} for good?"):
            raise Misuse("nothing was erased")
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
        (one["id"], one["action"], one["source_id"], one["member_id"], when(one["done_at"]), one["counts"])
        for one in found["data"]
    ]
    table(None, ("proof", "done", "source", "by", "at", "counts"), rows)
