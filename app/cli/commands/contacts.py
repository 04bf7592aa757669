"""`contacts` and parts of `privacy`: find, merge, export and erase people; carry out privacy requests."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from app.cli.client import ApiClient
from app.cli.command import Account, Yes, command, group
from app.cli.commands.deliveries import privacy
from app.cli.output import Misuse, as_json, confirm, facts, listed, table, when

contacts = group("Find, merge, export and erase contacts.")

Contact = Annotated[str, typer.Argument(metavar="CONTACT", help="The contact's id (cnt_…) or its CRM id.")]
IDENTITY: dict[str, Any] = dict.fromkeys(
    ("email", "phone", "document", "crm_id"), Annotated[str | None, typer.Option(help="Known by this.")]
)
Identity = Annotated[dict[str, Any], IDENTITY]


def _ask(
    client: ApiClient, method: str, contact: str, account: str | None, rest: str = "", body: Any = None, **query: Any
) -> Any:
    """Return the API's answer about a contact. `rest` is what follows it in the path."""
    path = f"/v1/contacts/{quote(contact, safe='')}{rest}"
    return client.ask(method, path, account=client.account(account), body=body, query=query)


def _identities(one: dict[str, Any]) -> list[str]:
    return [_identity(identity) for identity in one["identities"]]


def _identity(one: dict[str, Any]) -> str:
    return f"{one['kind']} {one['value']}"


def _show(found: dict[str, Any]) -> None:
    facts(
        {
            **{name: found[name] for name in ("id", "crm_id", "name")},
            "owner": found["owner_name"] or found["owner_id"],
            "identities": _identities(found),
            "conflicts": [_identity(identity) for identity in found["identity_conflicts"]],
        }
    )


@command(contacts, "show", "contacts show 42", show=_show)
def show(client: ApiClient, contact: Contact, account: Account = None) -> Any:
    """Show one contact with its identities."""
    return _ask(client, "GET", contact, account)


SUMMARY = {
    **{name.replace("_", " "): name for name in ("currency", "orders", "gross", "refunded", "net", "open")},
    "average order value": "average_order_value",
    "last order": "last_ordered_at",
}


@command(contacts, "summary", "contacts summary 42", show=listed(SUMMARY, of="currencies"))
def summary(client: ApiClient, contact: Contact, account: Account = None) -> Any:
    """Show the totals of a contact, per currency. Test orders are left out."""
    return _ask(client, "GET", contact, account, "/summary")


@command(
    contacts,
    "find",
    "contacts find ana",
    "contacts find --email ana@example.com",
    show=listed({"contact": "id", "crm id": "crm_id", "name": "name", "known by": _identities}),
)
def find(
    client: ApiClient,
    text: Annotated[
        str | None,
        typer.Argument(metavar="TEXT", help="A part of the name, an e-mail, phone, document or id, or an order's id."),
    ] = None,
    *,
    named: Identity,
    account: Account = None,
) -> Any:
    """Find contacts by name, e-mail, phone, document, CRM id or order."""
    if text is not None and named:
        raise Misuse("give a text, or one identity")
    return client.get("/v1/contacts", account=client.account(account), q=text, **named)


def _moved(done: dict[str, Any]) -> None:
    ids = (
        {"contact": done["contact"]["id"], "split off": done["split_off"]["id"]}
        if "split_off" in done
        else {"contact": done["contact_id"], "survivor": done["survivor_id"]}
    )
    facts({**ids, "moved": ", ".join(f"{many} {what}" for what, many in done["moved"].items())})


@command(
    contacts,
    "split",
    "contacts split cnt_01J… --order ord_01J…",
    "contacts split 42 --identity email:bia@example.com",
    show=_moved,
)
def split(
    client: ApiClient,
    contact: Contact,
    identity: Annotated[
        list[str] | None, typer.Option("--identity", help="One that is somebody else's, KIND:VALUE. Can be repeated.")
    ] = None,
    order: Annotated[
        list[str] | None, typer.Option("--order", help="An order that is somebody else's. Can be repeated.")
    ] = None,
    account: Account = None,
) -> Any:
    """Make a contact of what belongs to somebody else. Later deliveries follow."""
    named = [one.partition(":") for one in identity or []]
    if wrong := [one for one in named if not one[2]]:
        raise Misuse(f"--identity {wrong[0][0]!r}: write it as KIND:VALUE")
    body = {"identities": [{"kind": kind, "value": value} for kind, _, value in named], "orders": order or []}
    return _ask(client, "POST", contact, account, "/split", body)


@command(contacts, "keep-apart", "contacts keep-apart 42 43", show=_show)
def keep_apart(
    client: ApiClient,
    contact: Contact,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="The contact that is somebody else.")],
    account: Account = None,
) -> Any:
    """Say that two contacts are two people. No delivery joins them."""
    return _ask(client, "POST", contact, account, "/keep-apart", {"other": other})


DUPLICATES: dict[str, Any] = {
    "contact": lambda one: _called(one["contact"]),
    "other": lambda one: _called(one["other"]),
    "both told": lambda one: _identity(one["shared"]),
    "against": lambda one: ", ".join(one["against"]),
    "last told": "told_at",
}


def _called(one: dict[str, Any]) -> str:
    return f"{one['id']} {one['name'] or ''}".strip()


@command(contacts, "duplicates", "contacts duplicates --account acme", show=listed(DUPLICATES))
def duplicates(client: ApiClient, account: Account = None) -> Any:
    """List pairs that may be one person, with what they share and what speaks against it."""
    return client.all_of("/v1/possible-duplicates", account=client.account(account))


def _proposals(found: dict[str, Any]) -> None:
    rows = [
        (
            one["contact"]["id"],
            "stays" if part["stays"] else "split off",
            part["name"],
            _identities(part),
            part["orders"],
        )
        for one in found["data"]
        for part in one["parts"]
    ]
    table(None, ("contact", "part", "name", "known by", "orders"), rows)


@command(contacts, "proposals", "contacts proposals --account acme", show=_proposals)
def proposals(client: ApiClient, account: Account = None) -> Any:
    """List contacts whose orders are several people's by today's rule. Nothing is changed: `contacts split` does that."""
    return client.all_of("/v1/split-proposals", account=client.account(account))


@command(contacts, "merge", "contacts merge 43 42", show=_moved)
def merge(
    client: ApiClient,
    contact: Contact,
    into: Annotated[str, typer.Argument(metavar="INTO", help="The contact that stays.")],
    account: Account = None,
) -> Any:
    """Merge a contact into another. Its id then leads to the other one."""
    return _ask(client, "POST", contact, account, "/merge", {"into": into})


@command(contacts, "unmerge", "contacts unmerge 43", show=_moved)
def unmerge(client: ApiClient, contact: Contact, account: Account = None) -> Any:
    """Undo a merge. The contact gets back what moved. What came since then stays where it is."""
    return _ask(client, "POST", contact, account, "/unmerge", {})


CONFLICTS: dict[str, Any] = {
    "told of": "contact_id",
    "identity": "kind",
    "value": "value",
    "belongs to": "belongs_to",
    "told by": lambda one: one["told_by"] or "the CRM",
    "last told": "told_at",
}


@command(contacts, "conflicts", "contacts conflicts --account acme", show=listed(CONFLICTS))
def conflicts(client: ApiClient, account: Account = None) -> Any:
    """List identities that a source gave to one contact but that belong to another."""
    return client.all_of("/v1/identity-conflicts", account=client.account(account))


@command(contacts, "export", "contacts export 42 > ana.json", show=as_json)
def export(client: ApiClient, contact: Contact, account: Account = None) -> Any:
    """Export everything that is stored about a person, with its source and time. Always JSON."""
    return _ask(client, "GET", contact, account, "/export")


def _erased(found: dict[str, Any]) -> None:
    counts = ", ".join(f"{many} {what}" for what, many in found["counts"].items() if many)
    if "action" in found:
        facts({"done": found["action"], "proof": found["id"], "at": when(found["done_at"]), "counts": counts})
        return
    facts({"would take": counts})
    listed({"identity": "kind", "value": "value", "shared with": "shared_with"}, of="identities")(found)


@command(contacts, "erase", "contacts erase 42 --dry-run", "contacts erase 42 --yes", show=_erased)
def erase(
    client: ApiClient,
    contact: Contact,
    yes: Yes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would take.")] = False,
    account: Account = None,
) -> Any:
    """Erase a person. This cannot be undone, and later deliveries do not bring them back."""
    if dry_run:
        return _ask(client, "DELETE", contact, account, dry_run="true")
    confirm(f"Erase {contact} for good?", yes=yes, lost="erasing")
    return _ask(client, "DELETE", contact, account)


def _carried_out(done: dict[str, Any]) -> None:
    if done["export"] is not None:
        as_json(done["export"])
    else:
        _erased(done["proof"])


@command(privacy, "carry-out", "privacy carry-out dlv_01J…", show=_carried_out)
def carry_out(
    client: ApiClient,
    request: Annotated[str, typer.Argument(metavar="REQUEST", help="The request's id, as shown by `privacy list`.")],
) -> Any:
    """Carry out a privacy request: erase the person's data, or print it for hand-over (JSON)."""
    return client.post(f"/v1/privacy/requests/{request}/carry-out", account=client.owner(request))


PROOFS: dict[str, Any] = {
    "proof": "id",
    "done": "action",
    "source": lambda one: one["source_name"] or one["source_id"],
    "by": lambda one: one["member_name"] or one["member_id"],
    "at": "done_at",
    "counts": "counts",
}


@command(privacy, "proofs", "privacy proofs --email ana@example.com", show=listed(PROOFS))
def proofs(client: ApiClient, *, named: Identity, account: Account = None) -> Any:
    """List the proofs of erasures and exports. With an identity: show whether this person was erased."""
    at = client.account(account)
    if named:
        return client.get("/v1/privacy/proofs", account=at, **named)
    return client.all_of("/v1/privacy/proofs", account=at)
