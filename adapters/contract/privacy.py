"""Privacy requests that a source passes on: what is asked for, until when, and what a body must be to ask for it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import model_validator

from adapters.contract.payload import Exact, Payload, path


class Request(StrEnum):
    """What a source tells us that somebody's right to privacy asks for, within that source's data alone."""

    EXPORT = "export"  # hand over what is held on a person
    ERASE = "erase"  # erase a person
    ERASE_SHOP = "erase_shop"  # erase everything that came from this shop


class Buyer(Payload):
    """Whom a request concerns, as the source knows them: by one of these at least."""

    id: str | None = None
    email: str | None = None
    phone: str | None = None
    document: str | None = path("identification")

    @model_validator(mode="after")
    def _somebody(self) -> "Buyer":
        if not (self.id or self.email or self.phone or self.document):
            raise ValueError("names nobody")
        return self


class ShopRequest(Exact):
    """A request for a whole shop, in the form that Shopify and Nuvemshop share: it names the shop alone."""

    shop: str = path("shop_id", "store_id", otherwise=...)
    domain: str | None = path("shop_domain")
    event: str | None = None


class BuyersRequest(Exact):
    """A request that concerns one buyer and some of their orders, in the form that Shopify and Nuvemshop share."""

    customer: Buyer
    orders: tuple[str, ...] = path("orders_to_redact", "orders_requested", otherwise=())
    shop: str | None = path("shop_id", "store_id")
    domain: str | None = path("shop_domain")
    event: str | None = None
    data_request: Any = None
    checkouts_requested: Any = None
    drafts_orders_requested: Any = None


@dataclass(frozen=True, slots=True)
class Privacy:
    """A kind that is a privacy request, how many days there are to fulfil it, and what its body must be to be one."""

    request: Request
    days: int
    body: type[ShopRequest] | type[BuyersRequest]
