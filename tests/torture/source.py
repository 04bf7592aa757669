"""A shop that sends: signed deliveries, over a connection that is kept."""

import asyncio
import base64
import hmac
import json
import time
from dataclasses import dataclass
from typing import Any

EPOCH = int(time.time()) - 200 * 86_400  # order n is of n seconds later: a time that is to come would count as none
AT = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(EPOCH))
GONE = (OSError, EOFError, TimeoutError, ValueError, IndexError)  # no whole answer came


@dataclass
class Source:
    """A source, and deliveries as its shop sends them."""

    id: str
    secret: str

    def headers(self, body: bytes, name: str, at: float | None = None) -> dict[str, str]:
        """Sign as Standard Webhooks 1.0 says."""
        stamp = str(int(time.time() if at is None else at))
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        mac = base64.b64encode(hmac.digest(key, f"{name}.{stamp}.".encode() + body, "sha256")).decode()
        return {
            "webhook-id": name,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{mac}",
            "content-type": "application/json",
        }

    async def send(
        self, line: "Line", body: bytes, name: str, at: float | None = None, timeout: float = 60
    ) -> tuple[int, Any]:
        """Return the status and the answer; (0, the error's name) when none came."""
        try:
            status, raw = await line.ask(
                "POST", f"/webhooks/{self.id}", body, self.headers(body, name, at), timeout=timeout
            )
            return status, json.loads(raw)
        except GONE as why:
            return 0, type(why).__name__

    def notice(self, payment: str) -> tuple[str, bytes, dict[str, str]]:
        """A notice of Mercado Pago's: the path, the body, the headers."""
        said = {
            "action": "payment.updated",
            "data": {"id": payment},
            "date_created": "2026-11-20T13:00:06Z",
            "id": f"9{payment}",
            "type": "payment",
        }
        stamp = str(int(time.time() * 1000))
        mac = hmac.digest(
            self.secret.encode(), f"id:{payment};request-id:r-{payment};ts:{stamp};".encode(), "sha256"
        ).hex()
        headers = {"x-request-id": f"r-{payment}", "x-signature": f"ts={stamp},v1={mac}"}
        path = f"/webhooks/{self.id}?data.id={payment}&type=payment"
        return path, json.dumps(said).encode(), {**headers, "content-type": "application/json"}


def event(external_id: str, at: str = AT, email: str | None = None, **more: Any) -> bytes:
    """The body of a delivery about an order."""
    order = {"title": f"Order {external_id}", "value": "100.00", "currency": "BRL", "status": "paid", **more}
    contact = {"contact": {"name": "Ana Souza", "email": email}} if email else {}
    return json.dumps(
        {"type": "order.updated", "timestamp": at, "data": {"id": external_id, **order, **contact}}
    ).encode()


def iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(int(seconds))) + f".{int((seconds % 1) * 1e6):06d}Z"


class Line:
    """One kept HTTP connection."""

    def __init__(self, port: int) -> None:
        self._port, self._writer = port, None

    async def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None, timeout: float = 60
    ) -> tuple[int, bytes]:
        """Return the status and the body. Raises what is in GONE."""
        async with asyncio.timeout(timeout):
            if self._writer is None:
                self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(body)}\r\n"
            head += "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
            try:
                self._writer.write(head.encode() + b"\r\n" + body)
                lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
                fields = {name: value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
                answer = await self._reader.readexactly(int(fields.get("content-length", 0)))
                if fields.get("connection") == "close":
                    self.close()
                return int(lines[0].split()[1]), answer
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None
