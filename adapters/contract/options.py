"""What a source's owner may set beyond secret and key."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints


class OptionGroup(BaseModel):
    """Several options that belong together. Unknown names are an error, so that a misspelt one is not silently without
    effect."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Options(OptionGroup):
    """What a source's owner may set beyond secret and key; an adapter with more options subclasses it.

    `region`: the country (ISO 3166-1 alpha-2) of phones without a country code, where the order names none.
    """

    region: Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")] | None = None


class BuyersIdsOptions(Options):
    """`buyers_ids`: whether `crm_contact_id` and `deal_id` count, although buyers can write where they stand.

    Off unless it is said: a buyer could put an order on anybody's contact. On, a CRM id still loses against an identity
    that says otherwise, and teaches nothing.
    """

    buyers_ids: bool = False
