"""`order` and `deal`: list, show, create and edit orders and deals."""

from typing import Annotated, Any

import typer

from app.cli.filters import ORDERS, Where, filtered
from app.cli.output import Account, Json, Misuse, Yes, as_json, command, confirm, facts, group, table, when, word

order = group("List, show, create and edit orders.")
deal = group("Show and change deals of the CRM and their orders.")

Text = str | None
Order = Annotated[str, typer.Argument(metavar="ORDER", help="The order's id (ord_…).")]
Contact = Annotated[Text, typer.Option("--contact", help="The contact's id (cnt_…) or its CRM id.")]
Title = Annotated[Text, typer.Option("--title")]
Value = Annotated[Text, typer.Option("--value", help='A decimal number, such as "199.90".')]
Currency = Annotated[Text, typer.Option("--currency", help="ISO 4217 code. Default: the account's currency.")]
Status = Annotated[
    Text, typer.Option("--status", help="pending, paid, partially_paid, overdue, refunded, canceled, failed.")
]
OrderedAt = Annotated[Text, typer.Option("--ordered-at", help="ISO 8601.")]
PaidAt = Annotated[Text, typer.Option("--paid-at", help="ISO 8601.")]
Deal = Annotated[Text, typer.Option("--deal", help="The deal's CRM id.")]
Url = Annotated[Text, typer.Option("--url")]
OnPurpose = Annotated[bool, typer.Option("--deal-of-another-contact", help="Allow a deal of another contact.")]
COLUMNS = ("ordered", "status", ">value", "title", "buyer", "contact", "source", "order")


def _row(one: dict[str, Any]) -> tuple[Any, ...]:
    return (
        when(one["ordered_at"]),
        word(one["status"]),
        f"{one['value']} {one['currency']}",
        one["title"],
        one["buyer"],
        one["crm_contact_id"] or one["contact_id"],
        one["source_name"] or one["origin"],
        one["id"],
    )


def _tell(found: dict[str, Any], json: bool) -> None:
    as_json(found) if json else facts(found)


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, False)}


@command(order, "list", "order list --contact 42 --status paid")
@filtered(ORDERS)
def list_(
    account: Account = None,
    *,
    where: Where,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    json: Json = False,
) -> None:
    """List orders, newest first."""
    from app.cli.client import opened

    with opened("order list") as door:
        found = door.get("/v1/orders", account=door.account(account), **where, limit=limit)
    as_json(found) if json else table(None, COLUMNS, [_row(one) for one in found["data"]])


@command(order, "show", "order show ord_01J…")
def show(order_id: Order, json: Json = False) -> None:
    """Show one order."""
    from app.cli.client import opened

    with opened("order show") as door:
        found = door.get(f"/v1/orders/{order_id}", account=door.owner(order_id))
    _tell(found, json)


@command(order, "history", "order history ord_01J…")
def history(order_id: Order, json: Json = False) -> None:
    """Show what each delivery or member said about an order, and when."""
    from app.cli.client import opened

    with opened("order history") as door:
        found = door.get(f"/v1/orders/{order_id}/history", account=door.owner(order_id))
    if json:
        as_json(found)
        return
    rows = [
        (when(one["at"]), one["delivery_id"] or one["member_name"] or one["member_id"], one["said"])
        for one in found["data"]
    ]
    table(None, ("time", "who", "said"), rows)


@command(order, "create", 'order create --contact 42 --title "Consulting" --value 1500.00 --status paid')
def create(
    contact: Contact = None,
    title: Title = None,
    value: Value = None,
    currency: Currency = None,
    status: Status = None,
    ordered_at: OrderedAt = None,
    paid_at: PaidAt = None,
    deal_id: Deal = None,
    external_id: Annotated[
        Text, typer.Option("--external-id", help="Your id of the order. The same id again is the same order.")
    ] = None,
    origin: Annotated[Text, typer.Option("--origin", help="manual, api or payments.")] = None,
    url: Url = None,
    deal_of_another_contact: OnPurpose = False,
    account: Account = None,
    json: Json = False,
) -> None:
    """Create an order by hand."""
    from app.cli.client import opened

    if not (contact and title and value):
        raise Misuse("an order needs --contact, --title and --value")
    body = _given(
        contact=contact,
        title=title,
        value=value,
        currency=currency,
        status=status,
        ordered_at=ordered_at,
        paid_at=paid_at,
        deal_id=deal_id,
        external_id=external_id,
        origin=origin,
        url=url,
        deal_of_another_contact=deal_of_another_contact,
    )
    with opened("order create") as door:
        made = door.post("/v1/orders", body, account=door.account(account))
    _tell(made, json)


@command(order, "edit", "order edit ord_01J… --status refunded")
def edit(
    order_id: Order,
    contact: Contact = None,
    title: Title = None,
    value: Value = None,
    currency: Currency = None,
    status: Status = None,
    refunded_value: Annotated[Text, typer.Option("--refunded-value", help="The total that was refunded.")] = None,
    ordered_at: OrderedAt = None,
    paid_at: PaidAt = None,
    deal_id: Deal = None,
    url: Url = None,
    deal_of_another_contact: OnPurpose = False,
    json: Json = False,
) -> None:
    """Edit an order. Fields that are not given stay as they are."""
    from app.cli.client import opened

    body = _given(
        contact=contact,
        title=title,
        value=value,
        currency=currency,
        status=status,
        refunded_value=refunded_value,
        ordered_at=ordered_at,
        paid_at=paid_at,
        deal_id=deal_id,
        url=url,
        deal_of_another_contact=deal_of_another_contact,
    )
    with opened("order edit") as door:
        changed = door.ask("PATCH", f"/v1/orders/{order_id}", account=door.owner(order_id), body=body)
    _tell(changed, json)


@command(order, "merge", "order merge ord_01J… --into ord_01J…")
def merge(
    order_id: Order,
    into: Annotated[Text, typer.Option("--into", help="The order that stays (ord_…).")] = None,
    json: Json = False,
) -> None:
    """Merge a duplicate into another order of the same contact. Sums then count one sale. `order split` undoes it."""
    from app.cli.client import opened

    if not into:
        raise Misuse("name the order that stays: --into")
    with opened("order merge") as door:
        merged = door.post(f"/v1/orders/{order_id}/merge", {"into": into}, account=door.owner(order_id))
    _tell(merged, json)


@command(order, "split", "order split ord_01J…")
def split(order_id: Order, json: Json = False) -> None:
    """Undo a merge: of a merged order its own; of the order that others were merged into, all of them."""
    from app.cli.client import opened

    with opened("order split") as door:
        done = door.post(f"/v1/orders/{order_id}/split", account=door.owner(order_id))
    as_json(done) if json else facts(
        {"order": done["order"]["id"], "split off": [one["id"] for one in done["split_off"]]}
    )


@command(order, "delete", "order delete ord_01J… --yes")
def delete(
    order_id: Order,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Delete a test order, or one written by hand. An order of a source stays."""
    from app.cli.client import opened

    confirm(f"Delete {order_id}?", yes=yes, lost="deleting an order")
    with opened("order delete") as door:
        door.ask("DELETE", f"/v1/orders/{order_id}", account=door.owner(order_id))
    as_json({"id": order_id, "deleted": True}) if json else facts({"deleted": order_id})


@command(deal, "set", "deal set D-7 --contact 42 --title 'Year two'")
def deal_set(
    deal_id: Annotated[str, typer.Argument(metavar="DEAL", help="The deal's CRM id.")],
    contact: Contact = None,
    title: Title = None,
    owner: Annotated[Text, typer.Option("--owner", help="The member who owns the deal.")] = None,
    orders: Annotated[
        Text, typer.Option("--orders", help="When the contact changes: keep the orders, or move them too.")
    ] = None,
    account: Account = None,
    json: Json = False,
) -> None:
    """Create or change a deal."""
    from urllib.parse import quote

    from app.cli.client import opened

    if not contact:
        raise Misuse("a deal needs --contact")
    body = _given(contact=contact, title=title, owner_id=owner, orders=orders)
    with opened("deal set") as door:
        made = door.ask("PUT", f"/v1/deals/{quote(deal_id, safe='')}", account=door.account(account), body=body)
    _tell(made, json)


@command(deal, "orders", "deal orders D-7")
def deal_orders(
    deal_id: Annotated[str, typer.Argument(metavar="DEAL", help="The deal's CRM id.")],
    account: Account = None,
    json: Json = False,
) -> None:
    """List the orders of a deal."""
    from urllib.parse import quote

    from app.cli.client import opened

    with opened("deal orders") as door:
        found = door.get(f"/v1/deals/{quote(deal_id, safe='')}/orders", account=door.account(account))
    as_json(found) if json else table(None, COLUMNS, [_row(one) for one in found["data"]])
