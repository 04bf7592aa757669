"""Tables: contacts, identities, merges, deals."""

from sqlalchemy import Boolean, Column, Index, Table, Text, false

from app.db.schema.columns import bigint_column, key_column, metadata, partial_index, text_column

contacts = Table(
    "contacts",
    metadata,
    key_column("account_id"),
    key_column("id"),
    text_column("crm_id", null=True),
    text_column("name", null=True),
    text_column("owner_id", null=True),
    text_column("merged_into", null=True),
    Column("by_webhook", Boolean, nullable=False),
    bigint_column("created_at"),
    bigint_column("updated_at"),
    # Ids of contacts that a member said are other people, as JSON; each names the other. No delivery joins them.
    Column("apart", Text, nullable=False, server_default="[]"),
    Index("contacts_by_crm_id", "account_id", "crm_id"),
    partial_index("contacts_of_owner", "account_id", "owner_id", "id", where="owner_id IS NOT NULL"),
)

# Contacts share a phone or a CNPJ; whatever else is one contact's (`contact_resolution` sees to it).
identities = Table(
    "identities",
    metadata,
    key_column("account_id"),
    key_column("kind"),
    key_column("value"),
    key_column("contact_id"),
    text_column("source_id", null=True),  # which source told it; null: the CRM did
    bigint_column("created_at"),
    Index("identities_by_contact", "account_id", "contact_id"),
)

deals = Table(
    "deals",
    metadata,
    key_column("account_id"),
    key_column("crm_id"),
    text_column("contact_id"),
    text_column("title", null=True),
    text_column("owner_id", null=True),
    bigint_column("created_at"),
    bigint_column("updated_at"),
    Index("deals_of_contact", "account_id", "contact_id"),
    partial_index("deals_of_owner", "account_id", "owner_id", "crm_id", where="owner_id IS NOT NULL"),
)

# Who was merged into whom, and what moved along, so that it can be undone. `taken`: what the survivor had not and took
# over (crm_id, name, owner_id).
merges = Table(
    "merges",
    metadata,
    key_column("account_id"),
    key_column("id"),
    text_column("contact_id"),
    text_column("into_id"),
    text_column("taken"),
    text_column("member_id", null=True),
    bigint_column("created_at"),
    bigint_column("undone_at", null=True),
    Index("merges_of_contact", "account_id", "contact_id"),
    Index("merges_into_contact", "account_id", "into_id"),
)

# `what` is an identity's kind, or `order`, or `deal`; `name` the identity's value or the thing's id. `shared`: the
# survivor had the identity as well, and keeps it.
moved = Table(
    "moved",
    metadata,
    key_column("account_id"),
    key_column("merge_id"),
    key_column("what"),
    key_column("name"),
    Column("shared", Boolean, nullable=False, server_default=false()),
)

# Identities that were told of one contact while another has them, and whose match was refused: the two are listed as
# possible duplicates until somebody merges them, keeps them apart or takes the identity away.
conflicts = Table(
    "conflicts",
    metadata,
    key_column("account_id"),
    key_column("contact_id"),
    key_column("kind"),
    key_column("value"),
    text_column("source_id", null=True),  # who told it last; null: the CRM
    bigint_column("told_at"),
)
