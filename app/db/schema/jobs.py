"""Tables: jobs and what they change."""

from sqlalchemy import Boolean, Column, Index, Table

from app.db.schema.columns import bigint_column, key_column, metadata, text_column

# Bulk retries, remaps and reconciliations. One row, one claim, as with fetches: `claim` names whoever works on it until `claimed_until`.
jobs = Table(
    "jobs",
    metadata,
    key_column("account_id"),
    key_column("id"),
    text_column("kind"),
    text_column("state"),
    Column("dry_run", Boolean, nullable=False),
    text_column("filter"),
    text_column("upto"),  # the greatest id of a delivery or contact that is part of it: what came later is not
    text_column("phase"),
    text_column("cursor"),  # the last one that this phase has done with
    bigint_column("total"),
    bigint_column("done"),
    bigint_column("changed"),
    bigint_column("failed"),
    text_column("failures"),  # how many for which reason
    text_column("reason", null=True),  # why the job itself failed
    text_column("member_id", null=True),
    bigint_column("created_at"),
    bigint_column("updated_at"),
    bigint_column("finished_at", null=True),
    text_column("claim", null=True),
    bigint_column("claimed_until"),
    bigint_column("tries"),  # of its next piece: more than a few, and the piece is what ends the process
    Index("jobs_by_state", "state", "created_at"),
)

# What a job changed, or would change: an order, a delivery or a contact before and after it.
job_changes = Table(
    "job_changes",
    metadata,
    key_column("account_id"),
    key_column("job_id"),
    key_column("kind"),
    key_column("subject"),
    text_column("before", null=True),
    text_column("after", null=True),
)

# A remap's deliveries that read differently now, and what they have to do with each other: an order's id or name each.
remap_links = Table(
    "remap_links",
    metadata,
    key_column("account_id"),
    key_column("job_id"),
    key_column("token"),
    key_column("delivery_id"),
    Index("remap_links_of_delivery", "account_id", "job_id", "delivery_id"),
)
