"""The world outside: who takes the events, and a platform's API."""

import asyncio
import json
from typing import Any


class Outside:
    """Takes the events of a subscription, and is the API that thin deliveries are read from."""

    def __init__(self) -> None:
        self.events: dict[tuple[str, str], set[str]] = {}  # (type, order or contact) -> ids of events
        self.asked = 0
        self.fails = False  # the API answers 500

    async def start(self) -> "Outside":
        self._server = await asyncio.start_server(self._one, "127.0.0.1", 0, limit=2**20, backlog=1024)
        self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
                path = lines[0].split()[1]
                length = next((line.partition(":")[2] for line in lines if line.startswith("content-length:")), "0")
                said = json.loads(await reader.readexactly(int(length)) or b"{}")
                status, answer = "200 OK", {}
                if path.startswith("/v1/payments/"):
                    self.asked += 1
                    status, answer = ("500 No", {}) if self.fails else ("200 OK", payment(path.rsplit("/", 1)[1]))
                else:
                    about = said["data"].get("order_id") or said["data"].get("contact_id")
                    self.events.setdefault((said["type"], about), set()).add(said["id"])
                out = json.dumps(answer).encode()
                head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(out)}\r\n\r\n"
                writer.write(head.encode() + out)
                await writer.drain()
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


def payment(number: str) -> dict[str, Any]:
    """A payment as Mercado Pago's API has it."""
    return {
        "id": int(number),
        "status": "approved",
        "status_detail": "accredited",
        "transaction_amount": 100,
        "currency_id": "BRL",
        "transaction_amount_refunded": 0,
        "date_created": "2026-11-20T10:00:00.000-03:00",
        "date_last_updated": "2026-11-20T10:01:00.000-03:00",
        "date_approved": "2026-11-20T10:01:00.000-03:00",
        "description": "Thing",
        "live_mode": True,
        "payer": {"id": number, "email": f"mp{number}@example.com"},
    }
