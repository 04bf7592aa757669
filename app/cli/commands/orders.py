"""`order` and `deal`: list, show, create and edit orders and deals."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from app.cli.client import ApiClient
from app.cli.command import Account, Answer, Text, Yes, command, group
from app.cli.filters import Orders
from app.cli.output import Misuse, confirm, listed, word

order = group("List, show, create and edit orders.")
deal = group("Show and change deals of the CRM and their orders.")

Order = Annotated[str, typer.Argument(metavar="ORDER", help="The order's id (ord_…).")]
Deal = Annotated[str, typer.Argument(metavar="DEAL", help="The deal's CRM id.")]
# By the API's name for each.
FIELDS: dict[str, Any] = {
    "contact": Annotated[Text, typer.Option("--contact", help="The contact's id (cnt_…) or its CRM id.")],
    "title": Annotated[Text, typer.Option("--title")],
    "value": Annotated[Text, typer.Option("--value", help='A decimal number, such as "199.90".')],
    "currency": Annotated[Text, typer.Option("--currency", help="ISO 4217 code. Default: the account's currency.")],
    "status": Annotated[
        Text, typer.Option("--status", help="pending, paid, partially_paid, overdue, refunded, canceled, failed.")
    ],
    "refunded_value": Annotated[Text, typer.Option("--refunded-value", help="The total that was refunded.")],
    "ordered_at": Annotated[Text, typer.Option("--ordered-at", help="ISO 8601.")],
    "paid_at": Annotated[Text, typer.Option("--paid-at", help="ISO 8601.")],
    "deal_id": Annotated[Text, typer.Option("--deal", help="The deal's CRM id.")],
    "external_id": Annotated[
        Text, typer.Option("--external-id", help="Your id of the order. The same id again is the same order.")
    ],
    "origin": Annotated[Text, typer.Option("--origin", help="manual, api or payments.")],
    "url": Annotated[Text, typer.Option("--url")],
    "deal_of_another_contact": Annotated[
        bool | None, typer.Option("--deal-of-another-contact", help="Allow a deal of another contact.")
    ],
}
NEW = {name: option for name, option in FIELDS.items() if name != "refunded_value"}
CHANGED = {name: option for name, option in FIELDS.items() if name not in {"external_id", "origin"}}
DEAL: dict[str, Any] = {
    "contact": FIELDS["contact"],
    "title": FIELDS["title"],
    "owner_id": Annotated[Text, typer.Option("--owner", help="The member who owns the deal.")],
    "orders": Annotated[
        Text, typer.Option("--orders", help="When the contact changes: keep the orders, or move them too.")
    ],
}
COLUMNS: dict[str, Any] = {
    "ordered": "ordered_at",
    "status": lambda one: word(one["status"]),
    ">value": lambda one: f"{one['value']} {one['currency']}",
    "title": "title",
    "buyer": "buyer",
    "contact": lambda one: one["crm_contact_id"] or one["contact_id"],
    "source": lambda one: one["source_name"] or one["origin"],
    "order": "id",
}


@command(order, "list", "order list --contact 42 --status paid", show=listed(COLUMNS))
def list_(
    client: ApiClient,
    account: Account = None,
    *,
    where: Orders,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
) -> Any:
    """List orders, newest first."""
    return client.get("/v1/orders", account=client.account(account, where), **where, limit=limit)


@command(order, "show", "order show ord_01J…")
def show(client: ApiClient, order_id: Order) -> Any:
    """Show one order."""
    return client.get(f"/v1/orders/{order_id}", account=client.owner(order_id))


HISTORY: dict[str, Any] = {
    "time": "at",
    "who": lambda one: one["delivery_id"] or one["member_name"] or one["member_id"],
    "said": "said",
}


@command(order, "history", "order history ord_01J…", show=listed(HISTORY))
def history(client: ApiClient, order_id: Order) -> Any:
    """Show what each delivery or member said about an order, and when."""
    return client.get(f"/v1/orders/{order_id}/history", account=client.owner(order_id))


@command(order, "create", 'order create --contact 42 --title "Consulting" --value 1500.00 --status paid')
def create(client: ApiClient, *, fields: Annotated[dict[str, Any], NEW], account: Account = None) -> Any:
    """Create an order by hand."""
    if not all(fields.get(name) for name in ("contact", "title", "value")):
        raise Misuse("an order needs --contact, --title and --value")
    return client.post("/v1/orders", fields, account=client.account(account))


@command(order, "edit", "order edit ord_01J… --status refunded")
def edit(client: ApiClient, order_id: Order, *, fields: Annotated[dict[str, Any], CHANGED]) -> Any:
    """Edit an order. Fields that are not given stay as they are."""
    return client.ask("PATCH", f"/v1/orders/{order_id}", account=client.owner(order_id), body=fields)


@command(order, "merge", "order merge ord_01J… --into ord_01J…")
def merge(
    client: ApiClient,
    order_id: Order,
    into: Annotated[Text, typer.Option("--into", help="The order that stays (ord_…).")] = None,
) -> Any:
    """Merge a duplicate into another order of the same contact. Sums then count one sale. `order split` undoes it."""
    if not into:
        raise Misuse("name the order that stays: --into")
    return client.post(f"/v1/orders/{order_id}/merge", {"into": into}, account=client.owner(order_id))


@command(order, "split", "order split ord_01J…")
def split(client: ApiClient, order_id: Order) -> Any:
    """Undo a merge: of a merged order its own; of the order that others were merged into, all of them."""
    done = client.post(f"/v1/orders/{order_id}/split", account=client.owner(order_id))
    return Answer(done, {"order": done["order"]["id"], "split off": [one["id"] for one in done["split_off"]]})


@command(order, "delete", "order delete ord_01J… --yes")
def delete(
    client: ApiClient,
    order_id: Order,
    yes: Yes = False,
) -> Any:
    """Delete a test order, or one written by hand. An order of a source stays."""
    confirm(f"Delete {order_id}?", yes=yes, lost="deleting an order")
    client.ask("DELETE", f"/v1/orders/{order_id}", account=client.owner(order_id))
    return Answer({"id": order_id, "deleted": True}, {"deleted": order_id})


@command(deal, "set", "deal set D-7 --contact 42 --title 'Year two'")
def deal_set(
    client: ApiClient, deal_id: Deal, *, fields: Annotated[dict[str, Any], DEAL], account: Account = None
) -> Any:
    """Create or change a deal."""
    if not fields.get("contact"):
        raise Misuse("a deal needs --contact")
    path = f"/v1/deals/{quote(deal_id, safe='')}"
    return client.ask("PUT", path, account=client.account(account), body=fields)


@command(deal, "orders", "deal orders D-7", show=listed(COLUMNS))
def deal_orders(client: ApiClient, deal_id: Deal, account: Account = None) -> Any:
    """List the orders of a deal."""
    return client.get(f"/v1/deals/{quote(deal_id, safe='')}/orders", account=client.account(account))
