"""The receiver most teams would write: FastAPI, SQLAlchemy 2 (async), SQLite, one transaction per delivery.

It is here to be compared with, so it is written as a good engineer writes it in an afternoon, and nothing in it is
slow on purpose: constant-time HMAC over the raw body, pydantic models, dedupe by a unique index, find-or-create and
upsert in one statement each, and a commit on disk (WAL, synchronous=FULL) before the answer. SQLite has one writer at a
time, so the pool holds one connection: with more, the rate is much the same, but writers sleep in SQLite's busy handler
and the slowest answers get far slower (`--pool-size` lets you see it). Served by uvicorn: one worker, uvloop,
httptools, no access log.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, cast

import uvicorn
from fastapi import FastAPI, Header, HTTPException, Request
from pydantic import BaseModel, ValidationError
from sqlalchemy import JSON, ForeignKey, Table, event
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class ShopifyCustomer(BaseModel):
    id: int
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None


class ShopifyLine(BaseModel):
    title: str
    sku: str | None = None
    quantity: int
    price: Decimal


class ShopifyOrder(BaseModel):
    id: int
    name: str
    currency: str
    total_price: Decimal
    financial_status: str
    created_at: datetime
    updated_at: datetime
    test: bool = False
    customer: ShopifyCustomer
    line_items: list[ShopifyLine]


class Base(DeclarativeBase):
    pass


def table(model: type[Base]) -> Table:
    """The table under a model: plain Core statements skip the unit of work, which an upsert has no use for."""
    return cast(Table, model.__table__)


class Delivery(Base):
    __tablename__ = "deliveries"
    id: Mapped[int] = mapped_column(primary_key=True)
    webhook_id: Mapped[str] = mapped_column(unique=True)
    topic: Mapped[str]
    received_at: Mapped[datetime]
    body: Mapped[bytes]


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    shopify_id: Mapped[int] = mapped_column(unique=True)
    email: Mapped[str | None] = mapped_column(index=True)
    name: Mapped[str]
    phone: Mapped[str | None]


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    shopify_id: Mapped[int] = mapped_column(unique=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    name: Mapped[str]
    currency: Mapped[str]
    total_cents: Mapped[int]
    status: Mapped[str]
    test: Mapped[bool]
    items: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


# Built once, on the tables: building them anew for every request halves the rate of the whole receiver.
RECORD_DELIVERY = insert(table(Delivery)).on_conflict_do_nothing(index_elements=["webhook_id"]).returning(Delivery.id)

_customer = insert(table(Customer))
UPSERT_CUSTOMER = _customer.on_conflict_do_update(
    index_elements=["shopify_id"],
    set_={name: _customer.excluded[name] for name in ("email", "name", "phone")},
).returning(Customer.id)

_order = insert(table(Order))
UPSERT_ORDER = _order.on_conflict_do_update(
    index_elements=["shopify_id"],
    set_={name: _order.excluded[name] for name in set(_order.excluded.keys()) - {"id", "shopify_id"}},
    where=_order.excluded.updated_at >= Order.updated_at,
)


async def record(connection: AsyncConnection, webhook_id: str, topic: str, body: bytes, order: ShopifyOrder) -> str:
    """Store the delivery, its customer and its order; the caller's transaction makes them one."""
    delivery = {"webhook_id": webhook_id, "topic": topic, "received_at": datetime.now(UTC), "body": body}
    if await connection.scalar(RECORD_DELIVERY, delivery) is None:
        return "duplicate"
    person = order.customer
    customer_id = await connection.scalar(
        UPSERT_CUSTOMER,
        {
            "shopify_id": person.id,
            "email": person.email,
            "name": f"{person.first_name or ''} {person.last_name or ''}".strip(),
            "phone": person.phone,
        },
    )
    await connection.execute(
        UPSERT_ORDER,
        {
            "shopify_id": order.id,
            "customer_id": customer_id,
            "name": order.name,
            "currency": order.currency,
            "total_cents": int(order.total_price * 100),
            "status": order.financial_status,
            "test": order.test,
            "items": [line.model_dump(mode="json") for line in order.line_items],
            "created_at": order.created_at.astimezone(UTC),
            "updated_at": order.updated_at.astimezone(UTC),
        },
    )
    return "recorded"


def create_app(database: Path, secret: str, pool_size: int = 1) -> FastAPI:
    """The whole service over one SQLite file."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{database}", pool_size=pool_size, max_overflow=0)

    @event.listens_for(engine.sync_engine, "connect")
    def pragmas(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        yield
        await engine.dispose()

    app = FastAPI(lifespan=lifespan)

    @app.post("/webhooks/shopify")
    async def receive(
        request: Request,
        x_shopify_hmac_sha256: Annotated[str, Header()],
        x_shopify_topic: Annotated[str, Header()],
        x_shopify_webhook_id: Annotated[str, Header()],
    ) -> dict[str, str]:
        body = await request.body()
        proof = base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256))
        if not hmac.compare_digest(proof, x_shopify_hmac_sha256.encode()):
            raise HTTPException(401, "unverified")
        try:
            order = ShopifyOrder.model_validate_json(body)
        except ValidationError as error:
            raise HTTPException(422, "unreadable") from error
        async with engine.begin() as connection:
            outcome = await record(connection, x_shopify_webhook_id, x_shopify_topic, body, order)
        return {"outcome": outcome}

    return app


class _Announcing(uvicorn.Server):
    """Prints where it listens, once it does."""

    def __init__(self, config: uvicorn.Config, line: str) -> None:
        super().__init__(config)
        self._line = line

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self._line, flush=True)


def main() -> None:
    """Serve on loopback and print the line of JSON that the harness waits for."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers.fastapi_receiver", description=main.__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="where the database goes")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--pool-size", type=int, default=1)
    given = parser.parse_args()
    secret = secrets.token_urlsafe(32)
    app = create_app(given.dir / "peer.db", secret, given.pool_size)
    config = uvicorn.Config(
        app, host="127.0.0.1", port=given.port, loop="uvloop", http="httptools", access_log=False, log_level="warning"
    )
    line = json.dumps({"url": f"http://127.0.0.1:{given.port}/webhooks/shopify", "secret": secret})
    _Announcing(config, line).run()


if __name__ == "__main__":
    main()
