"""A running house for tests: the application with its lifespan entered by hand, and the errands every test runs."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from copy import copy
from types import TracebackType
from typing import Any, Self

import httpx
from starlette.types import Receive, Scope, Send

import adapters
from adapters.contract import Delivery
from app.base import clock
from app.base.roles import IN_PROCESS
from app.base.settings import Settings
from app.base.tuning import Tuning
from app.service import Service
from app.web.application import create_app
from tests.samples import secret_for

SECRET = "a-made-up-secret-of-32-characters"
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # the Standard Webhooks specification's own example


class House:
    """The application without a port: `client` is a stranger or bears the admin's token, `operator` is at the other door."""

    def __init__(self, settings: Settings, account: str = "acme", *, tuning: Tuning = Tuning()) -> None:
        self.settings, self._account = settings, account
        self.app = create_app(settings, tuning=tuning)

    async def __aenter__(self) -> Self:
        await self.app.service.open()
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://registry")
        self.operator = httpx.AsyncClient(transport=httpx.ASGITransport(self._door), base_url="http://registry")
        await self._enter(self._account)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.aclose()
        await self.operator.aclose()
        await self.app.service.close()

    async def another(self, account: str) -> "House":
        """The same application, entered by the admin of another, new account. Only the first is to be left."""
        other = copy(self)
        await other._enter(account)
        return other

    async def _enter(self, account: str) -> None:
        made = (await self.operator.post("/operator/accounts", json={"name": account, "enable": True})).json()
        self.account_id, self.token = made["account_id"], made["admin_token"]

    async def _door(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app({**scope, "server": (IN_PROCESS, None)}, receive, send)

    @property
    def service(self) -> Service:
        """The running registry itself, for what happens by the clock."""
        return self.app.service

    async def call(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, **headers: str
    ) -> httpx.Response:
        """A call of the API, by the admin unless another token is given."""
        return await self.client.request(
            method,
            path,
            content=None if body is None else json.dumps(body),
            headers={"Authorization": f"Bearer {token or self.token}", **headers},
        )

    async def get(self, path: str, *, token: str | None = None) -> Any:
        """What a GET gives; it must be 200."""
        response = await self.call("GET", path, token=token)
        assert response.status_code == 200, (response.status_code, response.text)
        return response.json()

    async def data(self, path: str) -> list[Any]:
        """A list's first page."""
        found: list[Any] = (await self.get(path))["data"]
        return found

    async def source(self, adapter: str = "standard", **given: Any) -> str:
        """A new source; gives its id."""
        made = await self.call("POST", "/v1/sources", {"adapter": adapter, "secret": secret_of(adapter), **given})
        assert made.status_code == 201, made.text
        source_id: str = made.json()["source_id"]
        return source_id

    async def token_of(self, role: str, member_id: str | None = None) -> str:
        """A new token with this role."""
        body = {"role": role} | ({"member_id": member_id} if member_id else {})
        token: str = (await self.call("POST", "/v1/tokens", body)).json()["token"]
        return token

    async def deliver(self, source_id: str, delivery: Delivery) -> httpx.Response:
        """A delivery at the front door."""
        return await self.client.post(
            f"/webhooks/{source_id}",
            content=delivery.body,
            headers=[(name.encode(), value.encode("latin-1")) for name, value in delivery.headers.items()],
            params=dict(delivery.query) or None,
        )


def secret_of(adapter: str) -> str:
    """A secret of the form that the adapter's platform shows."""
    loaded = adapters.load(adapter)
    return WHSEC if loaded.secret_prefix == "whsec_" else secret_for(loaded, SECRET)


def signed(adapter: str, body: bytes, headers: dict[str, str] | None = None, *, secret: str | None = None) -> Delivery:
    """A delivery as its source would send it now."""
    loaded = adapters.load(adapter)
    now = clock.moment(clock.now())
    delivery = Delivery(body=body, headers=headers or {}, received_at=now, url="")
    return loaded.scheme(loaded.options()).sign(delivery, secret or secret_of(adapter), now)


def order_event(
    external_id: str = "1001",
    *,
    status: str | None = "paid",
    at: str = "2026-11-20T13:00:00Z",
    delivery_id: str | None = None,
    **data: Any,
) -> Delivery:
    """A signed delivery of the `standard` adapter about one order."""
    said = {
        "id": external_id,
        "title": "#1001 · Running shoes",
        "value": "398.00",
        "currency": "BRL",
        "contact": {"name": "Ana Souza", "email": "ana@example.com", "phone": "+55 11 98765-4321"},
        **data,
    }
    if status is not None:
        said["status"] = status
    said = {name: value for name, value in said.items() if value is not None}
    body = json.dumps({"type": "order.updated", "timestamp": at, "data": said}).encode()
    return signed("standard", body, {"webhook-id": delivery_id} if delivery_id else None)


async def eventually(ask: Callable[[], Awaitable[Any]], wanted: Callable[[Any], bool], *, within: float = 15.0) -> Any:
    """What `ask` gives once it is as wanted; for what the registry does by itself. Fails after `within` seconds."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        found = await ask()
        if wanted(found):
            return found
        assert asyncio.get_running_loop().time() < deadline, f"not within {within} s: {found}"
        await asyncio.sleep(0.01)
