"""Signed Shopify deliveries as ready HTTP/1.1 request bytes, so that the load loop only has to write them.

Every delivery is a new order with its own webhook id; about one in four comes from a customer seen before. The order is
rendered to JSON once, with holes; a delivery fills the holes, which costs microseconds where `json.dumps` costs tens.
All people are made up and live at example.com and example.org.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import re
import statistics
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import urlsplit

SMALLEST, LARGEST = 2200, 2400  # bytes; what the mean body must lie between
FIRST_ORDER, FIRST_CUSTOMER = 5_000_000_001, 7_000_000_001
FIRST_NAMES = ("Ana", "Bruno", "Camila", "Diego", "Elisa", "Felipe", "Gabriela", "Heitor", "Isabela", "Joao", "Larissa")
LAST_NAMES = ("Almeida", "Barbosa", "Cardoso", "Duarte", "Esteves", "Ferreira", "Gomes")
DOMAINS = ("example.com", "example.org")

_ADDRESS = {
    "first_name": "%(first)s",
    "last_name": "%(last)s",
    "address1": "Rua das Amostras, %(number)d",
    "address2": "Apto 12",
    "phone": "%(phone)s",
    "city": "São Paulo",
    "zip": "01000-000",
    "province": "São Paulo",
    "country": "Brazil",
    "company": None,
    "name": "%(first)s %(last)s",
    "country_code": "BR",
    "province_code": "SP",
}


def _line(place: str, title: str, sku: str, price: str, quantity: int) -> dict[str, object]:
    """One line item; `place` keeps the two lines' ids apart."""
    return {
        "id": f"%({place})d",
        "admin_graphql_api_id": f"gid://shopify/LineItem/%({place})d",
        "fulfillable_quantity": quantity,
        "fulfillment_service": "manual",
        "fulfillment_status": None,
        "gift_card": False,
        "grams": 450,
        "name": title,
        "price": price,
        "product_exists": True,
        "quantity": quantity,
        "requires_shipping": True,
        "sku": sku,
        "taxable": True,
        "title": title,
        "total_discount": "0.00",
        "variant_title": None,
        "vendor": "Example",
        "tax_lines": [],
    }


_ORDER: dict[str, object] = {
    "id": "%(order)d",
    "admin_graphql_api_id": "gid://shopify/Order/%(order)d",
    "cancelled_at": None,
    "cancel_reason": None,
    "confirmed": True,
    "contact_email": "%(email)s",
    "created_at": "%(created)s",
    "currency": "BRL",
    "current_subtotal_price": "%(total)s",
    "current_total_price": "%(total)s",
    "email": "%(email)s",
    "financial_status": "paid",
    "fulfillment_status": None,
    "name": "#%(number)d",
    "note": None,
    "order_number": "%(number)d",
    "order_status_url": "https://shop.example.com/orders/%(order)d",
    "payment_gateway_names": ["pix"],
    "phone": "%(phone)s",
    "presentment_currency": "BRL",
    "processed_at": "%(created)s",
    "referring_site": None,
    "source_name": "web",
    "subtotal_price": "%(total)s",
    "tags": "",
    "test": False,
    "total_discounts": "0.00",
    "total_price": "%(total)s",
    "total_tax": "0.00",
    "total_weight": 1350,
    "updated_at": "%(updated)s",
    "billing_address": _ADDRESS,
    "customer": {
        "id": "%(customer)d",
        "email": "%(email)s",
        "first_name": "%(first)s",
        "last_name": "%(last)s",
        "phone": "%(phone)s",
        "state": "enabled",
        "verified_email": True,
        "currency": "BRL",
    },
    "line_items": [
        _line("line1", "Running shoes", "RS-1", "199.00", 2),
        _line("line2", "Cotton socks, three pairs", "CS-3", "%(socks)s", 1),
    ],
    "refunds": [],
    "shipping_lines": [],
}


def _template() -> str:
    """The order as JSON with `%(name)s` holes; a hole that stands for a number loses its quotes."""
    text = json.dumps(_ORDER, ensure_ascii=False, separators=(",", ":"))
    return re.sub(r'"(%\(\w+\)d)"', r"\1", text)


class Deliveries:
    """Makes deliveries `start`, `start + 1`, … for one webhook URL and secret; never the same order twice."""

    def __init__(self, url: str, secret: str, *, start: int = 0, shop: str = "bench.example.com") -> None:
        parts = urlsplit(url)
        self._keyed = hmac.new(secret.encode(), digestmod=hashlib.sha256)
        self._template = _template()
        self._first = self._next = start
        now = datetime.now(UTC)
        placed = now.astimezone(timezone(timedelta(hours=-3))).replace(microsecond=0)
        self._created = placed.isoformat()
        self._updated = (placed + timedelta(seconds=5)).isoformat()
        self._before = (
            f"POST {parts.path or '/'} HTTP/1.1\r\n"
            f"Host: {parts.netloc}\r\n"
            "User-Agent: Shopify-Captain-Hook\r\n"
            "Accept: */*\r\n"
            "Content-Type: application/json\r\n"
            "X-Shopify-Topic: orders/paid\r\n"
            f"X-Shopify-Shop-Domain: {shop}\r\n"
            "X-Shopify-API-Version: 2026-04\r\n"
            f"X-Shopify-Triggered-At: {now.isoformat().replace('+00:00', 'Z')}\r\n"
        )

    def body(self, index: int) -> bytes:
        """The exact bytes of delivery `index`."""
        person = self._person(index)
        first = FIRST_NAMES[person % len(FIRST_NAMES)]
        last = LAST_NAMES[person % len(LAST_NAMES)]
        cents = 1990 + index % 5000
        values = {
            "order": FIRST_ORDER + index,
            "number": 1001 + index,
            "line1": 2 * index + 9_000_000_001,
            "line2": 2 * index + 9_000_000_002,
            "customer": FIRST_CUSTOMER + person,
            "first": first,
            "last": last,
            "email": f"{first}.{last}.{person}@{DOMAINS[person % 2]}".lower(),
            "phone": f"+55119{70_000_000 + person % 30_000_000}",
            "socks": f"{cents // 100}.{cents % 100:02}",
            "total": f"{398 + cents // 100}.{cents % 100:02}",
            "created": self._created,
            "updated": self._updated,
        }
        return (self._template % values).encode()

    def request(self, index: int) -> bytes:
        """Delivery `index` as a whole request: request line, headers, signature, body."""
        body = self.body(index)
        keyed = self._keyed.copy()
        keyed.update(body)
        signature = base64.b64encode(keyed.digest()).decode()
        head = (
            f"{self._before}X-Shopify-Webhook-Id: {uuid.uuid4()}\r\n"
            f"X-Shopify-Hmac-Sha256: {signature}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def make(self, count: int) -> list[bytes]:
        """The next `count` requests."""
        begin, self._next = self._next, self._next + count
        return [self.request(index) for index in range(begin, self._next)]

    def _person(self, index: int) -> int:
        """One delivery in four comes from a customer of some hundred deliveries ago, the others from a new one."""
        if index % 4 != 3:
            return index
        earlier = index - 4 * (25 + index * 7919 % 500) - 1
        return earlier if earlier >= self._first else index


def mean_size(count: int = 1000) -> float:
    """Mean size of a body in bytes, without the headers."""
    made = Deliveries("http://127.0.0.1/", "secret", start=100_000)
    return statistics.fmean(len(made.body(index)) for index in range(100_000, 100_000 + count))


def _people(count: int) -> Iterator[int]:
    made = Deliveries("http://127.0.0.1/", "secret")
    return (json.loads(made.body(index))["customer"]["id"] for index in range(count))


def main() -> int:
    """Print the mean size, and a sample on request; exit 1 when the size is not the one the benches speak of."""
    parser = argparse.ArgumentParser(prog="python -m bench.bodies", description=main.__doc__)
    parser.add_argument("--show", action="store_true", help="print one whole request as well")
    if parser.parse_args().show:
        print(Deliveries("http://127.0.0.1:8080/webhooks/src_example", "secret").request(0).decode())
    size = mean_size()
    people = len(set(_people(8000)))
    print(f"mean body {size:.0f} bytes ({SMALLEST} to {LARGEST} wanted); 8000 orders by {people} customers")
    return 0 if SMALLEST <= size <= LARGEST else 1


if __name__ == "__main__":
    raise SystemExit(main())
