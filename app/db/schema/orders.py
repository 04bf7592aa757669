"""Tables: orders and their history."""

from sqlalchemy import BigInteger, Boolean, Column, Index, SmallInteger, Table, Text

from app.db.schema.columns import bigint_column, key_column, metadata, partial_index, text_column

_TRAITS = ("status", "currency", "origin", "scope")

orders = Table(
    "orders",
    metadata,
    key_column("account_id"),
    key_column("id"),
    text_column("scope"),  # the source's id, or the origin's word when no source is involved
    text_column("external_id"),
    text_column("source_id", null=True),
    text_column("origin"),
    text_column("contact_id", null=True),
    text_column("deal_id", null=True),
    text_column("title", null=True),
    # null: nothing has described the order yet, or it was merged into another (`sale_id`); it is shown nowhere
    bigint_column("value", null=True),
    bigint_column("refunded_value"),
    text_column("currency", null=True),
    text_column("status"),
    text_column("source_status", null=True),
    bigint_column("ordered_at", null=True),
    bigint_column("paid_at", null=True),
    text_column("url", null=True),
    Column("test", Boolean, nullable=False),
    text_column("items"),
    bigint_column("created_at"),
    bigint_column("updated_at"),
    text_column("owner_id", null=True),  # its contact's and its deal's, carried along: wallets are paged by them
    text_column("deal_owner_id", null=True),
    Column("paid_value", BigInteger, nullable=False, server_default="0"),
    Column("notes", Text, nullable=False, server_default="[]"),  # a JSON list of words
    text_column("sale_id", null=True),  # of orders that a member merged: the one that stands for all, on itself too
    Index("orders_by_external_id", "account_id", "scope", "external_id", unique=True),
    Index("orders_of_contact", "account_id", "contact_id", "ordered_at", "id"),
    Index("orders_by_time", "account_id", "ordered_at", "id"),
    partial_index("orders_of_deal", "account_id", "deal_id", "ordered_at", "id", where="deal_id IS NOT NULL"),
    # One index for four filters, alone and together: few combinations of these exist, and each is a run in time.
    partial_index(
        "orders_by_traits",
        *("account_id", *_TRAITS, "ordered_at", "id"),
        where="value IS NOT NULL",
    ),
    *(
        partial_index(
            f"orders_of_{name}",
            "account_id",
            f"{name}_id",
            "ordered_at",
            "id",
            *_TRAITS,
            where=f"{name}_id IS NOT NULL",
        )
        for name in ("owner", "deal_owner")
    ),
    partial_index("orders_of_sale", "account_id", "sale_id", where="sale_id IS NOT NULL"),
    partial_index("orders_undescribed", "account_id", "ordered_at", "id", where="value IS NULL"),
)

# Further names of an order: other ids of the same sale (scope as in orders), and ids of orders that were merged into it
# (scope `order`). A name that leads to no order any more is one whose order was pruned: a late delivery must not bring
# half of it back.
aliases = Table(
    "aliases",
    metadata,
    key_column("account_id"),
    key_column("scope"),
    key_column("name"),
    text_column("order_id"),
    Index("aliases_of_order", "account_id", "order_id"),
)

# What every delivery or member said of an order. `at` -1 stands for "the source gave no time".
history = Table(
    "history",
    metadata,
    key_column("account_id"),
    key_column("order_id"),
    Column("at", BigInteger, primary_key=True, nullable=False),
    Column("rank", SmallInteger, primary_key=True, nullable=False),
    key_column("digest"),
    bigint_column("recorded_at"),
    text_column("delivery_id", null=True),
    text_column("member_id", null=True),
    text_column("said"),
    text_column("contact_id", null=True),  # the order's, carried along: the log of a contact is paged by it
    partial_index("history_of_delivery", "account_id", "delivery_id", where="delivery_id IS NOT NULL"),
    partial_index(
        "history_of_contact",
        *("account_id", "contact_id", "delivery_id"),
        where="contact_id IS NOT NULL AND delivery_id IS NOT NULL",
    ),
)
