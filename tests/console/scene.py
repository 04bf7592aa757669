"""A shop's half year, made up: sources, people, deliveries good and bad. What the console's tests and pictures look at."""

import base64
import hashlib
import hmac
import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import httpx

import app.base.clock
import app.base.ids
from app.base.settings import Settings
from tests.house import WHSEC, House, signed

SECRETS = {"shopify": "made-up-secret-of-a-shop-0001", "woocommerce": "made-up-secret-of-a-shop-0002"}
MISCHIEF = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
PEOPLE = [
    ("Ana Souza", "ana.souza@example.com", "+55 11 98765-4321"),
    ("Bruno Lima", "bruno.lima@example.com", "+55 21 99876-1234"),
    ("Carla Mendes", "carla.mendes@example.com", "+55 31 98888-7777"),
    ("Diego Rocha", "diego.rocha@example.com", "+55 41 99911-2233"),
    ("Elisa Prado", "elisa.prado@example.com", "+55 51 99123-4567"),
    ("Fábio Nunes", "fabio.nunes@example.com", "+55 71 98123-9876"),
]
GOODS = [
    ("Running shoes", "199.00", "RS-1"),
    ("Trail jacket", "349.90", "TJ-4"),
    ("Merino socks", "39.90", "MS-2"),
    ("Bottle 750 ml", "59.00", "BO-7"),
    ("Cap", "79.50", "CA-3"),
    ("Sports watch", "1299.00", "SW-9"),
]
HOUR = 3600


@dataclass
class Scene:
    """What was made: ids by name, a token per role, and (`nobody yet`) the one of an account with nothing in it."""

    account_id: str = ""
    tokens: dict[str, str] = field(default_factory=dict)
    token_ids: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    deliveries: dict[str, str] = field(default_factory=dict)


class Clock:
    """The registry's clock while the scene is made: the past, told in order."""

    def __init__(self) -> None:
        self.at = time.time()

    @property
    def at(self) -> float:
        """The time that it shows; it goes on from there."""
        return self._at + time.perf_counter() - self._since

    @at.setter
    def at(self, value: float) -> None:
        self._at, self._since = value, time.perf_counter()

    def time_ns(self) -> int:
        return int(self.at * 1e9)

    def time(self) -> float:
        return self.at

    @property
    def iso(self) -> str:
        return datetime.fromtimestamp(self.at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@contextmanager
def turned_back() -> Iterator[Clock]:
    """Times and ids are the clock's until the end."""
    clock = Clock()
    turned = SimpleNamespace(**{**vars(time), "time_ns": clock.time_ns, "time": clock.time})
    modules = (app.base.clock, app.base.ids)
    for module in modules:
        module.time = turned
    app.base.ids._newest = 0  # else no id is older than the newest of before
    try:
        yield clock
    finally:
        for module in modules:
            module.time = time


async def play(settings: Settings, *, days: float = 200.0, orders: int = 240, mischief: bool = True) -> Scene:
    """Makes the scene in a migrated database: so many orders in so many days until now, most of them lately.

    With `mischief`, somebody has put markup wherever a stranger can put anything.
    """
    scene, chance = Scene(), random.Random(7)
    with turned_back() as clock:
        present = clock.at
        clock.at = present - days * 86400 - HOUR
        async with House(settings, account="Aurora Sports") as house:
            await _people(house, scene)
            await _sources(house, scene)
            moments = sorted(present - 60 - _long_ago(chance, days) for _ in range(orders))
            for number, at in enumerate(moments):
                clock.at = at
                await _one(house, scene, clock, chance, 1001 + number, present)
            clock.at = present - 45
            await _oddities(house, scene, clock, mischief=mischief)
            made = await house.operator.post("/operator/accounts", json={"name": "Nothing yet", "enable": True})
            scene.tokens["nobody yet"] = made.json()["admin_token"]
    return scene


def _long_ago(chance: random.Random, days: float) -> float:
    """Seconds: most of the orders in the last week, more of them by day than by night, the others thinning out."""
    if chance.random() < 0.6:
        return chance.random() ** 1.1 * days * 86400
    span = 86400 if chance.random() < 0.35 else 7 * 86400
    while True:
        ago = chance.random() * span
        if chance.random() < (0.25 if (ago / HOUR + 9) % 24 < 9 else 1.0):
            return ago


async def _people(house: House, scene: Scene) -> None:
    scene.account_id = house.account_id
    scene.tokens["admin"] = house.token
    for role, name in (
        ("manager", "Lia Castro"),
        ("rep", "Rui Alves"),
        ("integrator", "Ivo Reis"),
        ("ops", "Oda Brandt"),
    ):
        made = await house.call("POST", "/v1/members", {"id": f"{role}-1", "name": name, "role": role})
        assert made.status_code == 201, made.text
        token = (await house.call("POST", "/v1/tokens", {"role": role, "member_id": f"{role}-1"})).json()
        scene.tokens[role], scene.token_ids[role] = token["token"], token["id"]
    for number, (name, mail, phone) in enumerate(PEOPLE[:4], start=41):
        owner = "rep-1" if number % 2 else "manager-1"
        said = {"name": name, "emails": [mail], "phones": [phone], "owner_id": owner}
        assert (await house.call("PUT", f"/v1/contacts/{number}", said)).status_code == 201


async def _sources(house: House, scene: Scene) -> None:
    wanted: list[tuple[str, str, dict[str, Any]]] = [
        ("shopify", "Aurora Shopify", {"secret": SECRETS["shopify"]}),
        ("woocommerce", "Outlet", {"secret": SECRETS["woocommerce"]}),
        ("standard", "Store counter", {"secret": WHSEC}),
        ("mercadopago", "Mercado Pago", {"secret": "made-up-secret-of-a-shop-0003"}),
        ("nuvemshop", "Nuvemshop (new)", {"secret": "made-up-secret-of-a-shop-0004"}),
    ]
    for adapter, name, given in wanted:
        scene.sources[adapter] = await house.source(adapter, name=name, **given)
    scene.sources["wholesale"] = await house.source("standard", name="Wholesale", secret=WHSEC, unknown_contacts="hold")


async def _one(house: House, scene: Scene, clock: Clock, chance: random.Random, number: int, present: float) -> None:
    """An order's first delivery, and what often follows."""
    name, mail, phone = chance.choice(PEOPLE)
    lines = chance.sample(GOODS, chance.choice([1, 1, 2]))
    where = chance.choices(["shopify", "woocommerce", "standard"], [6, 2, 3])[0]
    if where == "woocommerce":
        # Somebody changed the secret at the shop three hours ago, and not here.
        late = clock.at > present - 3 * HOUR
        answer = await _woocommerce(house, scene, clock, number, (name, mail, phone), lines, forged=late)
        assert answer.status_code == (401 if late else 200), answer.text
        return
    if where == "standard":
        status = chance.choices(["paid", "pending", "canceled", "refunded"], [6, 1, 1, 1])[0]
        currency = "USD" if name == PEOPLE[0][0] and chance.random() < 0.5 else "BRL"
        await _standard(house, scene, clock, f"C-{number}", status, (name, mail, phone), lines, currency=currency)
        return
    status = chance.choices(["paid", "pending", "partially_paid"], [7, 2, 1])[0]
    await _shopify(house, scene, clock, number, "orders/create", status, (name, mail, phone), lines)
    if chance.random() < 0.45:
        clock.at += chance.randint(4, 40)
        await _shopify(house, scene, clock, number, "orders/paid", "paid", (name, mail, phone), lines)
    if chance.random() < 0.12:
        clock.at += 5
        again = await _shopify(
            house, scene, clock, number, "orders/paid", "paid", (name, mail, phone), lines, delivery=f"again-{number}"
        )
        assert again.status_code == 200
        await _shopify(
            house, scene, clock, number, "orders/paid", "paid", (name, mail, phone), lines, delivery=f"again-{number}"
        )
    if chance.random() < 0.1:
        clock.at += 9
        await _shopify(house, scene, clock, number, "carts/update", "", (name, mail, phone), lines)
    if chance.random() < 0.04:
        clock.at += 2
        await _shopify(house, scene, clock, number, "orders/paid", "paid", (name, mail, phone), lines, forged=True)


async def _oddities(house: House, scene: Scene, clock: Clock, *, mischief: bool) -> None:
    """One of everything that is out of the ordinary."""
    people, shoes = PEOPLE[0], [GOODS[0]]
    answer = await _standard(house, scene, clock, "X-1", "half_paid", people, shoes)
    scene.deliveries["unknown_status"] = answer.json()["delivery_id"]
    clock.at += 1
    if mischief:
        mean = (MISCHIEF, "eve@example.com", "+55 11 91111-2222")
        answer = await _standard(
            house, scene, clock, "X-<script>", "paid", mean, [(MISCHIEF, "10.00", MISCHIEF)], title=MISCHIEF
        )
        scene.deliveries["mischief"] = answer.json()["delivery_id"]
        clock.at += 1
    answer = await _standard(house, scene, clock, "X-2", "paid", people, shoes, value="a lot")
    scene.deliveries["unreadable"] = answer.json()["delivery_id"]
    clock.at += 1
    stranger = ("Gil Teles", "gil.teles@example.com", "+55 85 98111-2233")
    answer = await _standard(house, scene, clock, "W-1", "paid", stranger, shoes, source="wholesale")
    scene.deliveries["held"] = answer.json()["delivery_id"]
    clock.at += 1
    answer = await _shopify(house, scene, clock, 9001, "orders/create", "pending", people, shoes)
    scene.deliveries["created"] = answer.json()["delivery_id"]
    clock.at += 20
    answer = await _shopify(house, scene, clock, 9001, "orders/paid", "paid", people, shoes)
    scene.deliveries["updated"] = answer.json()["delivery_id"]


async def _standard(
    house: House,
    scene: Scene,
    clock: Clock,
    number: str,
    status: str,
    person: tuple[str, str, str],
    lines: list[tuple[str, str, str]],
    *,
    title: str | None = None,
    value: str | None = None,
    currency: str = "BRL",
    source: str = "standard",
) -> httpx.Response:
    name, mail, phone = person
    data = {
        "id": number,
        "title": title or f"{number} · {lines[0][0]}",
        "value": value or _sum(lines),
        "currency": currency,
        "status": status,
        "contact": {"name": name, "email": mail, "phone": phone},
        "items": [{"title": one[0], "quantity": 1, "unit_value": one[1], "sku": one[2]} for one in lines],
    }
    body = json.dumps({"type": "order.updated", "timestamp": clock.iso, "data": data}).encode()
    headers = {"webhook-id": f"msg-{number}-{status}", "content-type": "application/json"}
    return await house.deliver(scene.sources[source], signed("standard", body, headers, secret=WHSEC))


def _sum(lines: list[tuple[str, str, str]]) -> str:
    return f"{sum(round(float(one[1]) * 100) for one in lines) / 100:.2f}"


async def _shopify(
    house: House,
    scene: Scene,
    clock: Clock,
    number: int,
    topic: str,
    status: str,
    person: tuple[str, str, str],
    lines: list[tuple[str, str, str]],
    *,
    forged: bool = False,
    delivery: str | None = None,
) -> httpx.Response:
    name, mail, phone = person
    first, _, last = name.partition(" ")
    body = json.dumps(
        {
            "id": 5000000000 + number,
            "name": f"#{number}",
            "currency": "BRL",
            "total_price": _sum(lines),
            "current_total_price": _sum(lines),
            "financial_status": status,
            "created_at": clock.iso,
            "processed_at": clock.iso,
            "updated_at": clock.iso,
            "email": mail,
            "phone": phone,
            "refunds": [],
            "order_status_url": f"https://aurora.example.com/orders/{number}",
            "customer": {
                "id": 7000000000 + PEOPLE.index(person),
                "first_name": first,
                "last_name": last,
                "email": mail,
            },
            "line_items": [{"title": one[0], "quantity": 1, "price": one[1], "sku": one[2]} for one in lines],
        }
    ).encode()
    headers = {
        "x-shopify-topic": topic,
        "x-shopify-webhook-id": delivery or f"{topic}-{number}-{clock.at}",
        "content-type": "application/json",
        "x-shopify-shop-domain": "aurora.example.com",
        "user-agent": "Shopify-Captain-Hook",
    }
    secret = "another-secret-altogether-000" if forged else SECRETS["shopify"]
    return await house.deliver(scene.sources["shopify"], signed("shopify", body, headers, secret=secret))


async def _woocommerce(
    house: House,
    scene: Scene,
    clock: Clock,
    number: int,
    person: tuple[str, str, str],
    lines: list[tuple[str, str, str]],
    *,
    forged: bool,
) -> httpx.Response:
    name, mail, phone = person
    first, _, last = name.partition(" ")
    at = clock.iso.removesuffix("Z")
    body = json.dumps(
        {
            "id": number,
            "number": str(number),
            "status": "processing",
            "currency": "BRL",
            "total": _sum(lines),
            "date_created_gmt": at,
            "date_modified_gmt": at,
            "date_paid_gmt": at,
            "date_paid": at,
            "customer_id": PEOPLE.index(person) + 1,
            "refunds": [],
            "billing": {"first_name": first, "last_name": last, "email": mail, "phone": phone},
            "line_items": [{"name": one[0], "quantity": 1, "subtotal": one[1], "total": one[1]} for one in lines],
        }
    ).encode()
    secret = "another-secret-altogether-000" if forged else SECRETS["woocommerce"]
    digest = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    return await house.client.post(
        f"/webhooks/{scene.sources['woocommerce']}",
        content=body,
        headers={
            "x-wc-webhook-topic": "order.updated",
            "x-wc-webhook-signature": digest,
            "content-type": "application/json",
            "x-wc-webhook-delivery-id": f"wc-{number}",
        },
    )
