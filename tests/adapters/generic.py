"""What the tests of the adapter without code share: the least options, those of money, an order out of a body, and the manual."""

import re
import shlex
from pathlib import Path
from typing import Any

from adapters.contract import Delivery
from tests.reading import OrderView, Source, arrived

MANUAL = (Path(__file__).parents[2] / "docs" / "generic.md").read_text()
LEAST: dict[str, Any] = {
    "signature": {"scheme": "hmac", "header": "x-signature", "algorithm": "sha256", "encoding": "hex"},
    "kind": "field:event",
    "fields": {"external_id": "id"},
    "statuses": {"paid": "paid"},
}
MONEY = {"unit": "major", "currency": "BRL"}
PAYMENT = {"payments": "p", "payment_id": "id", "payment_value": "v", "payment_state": "s", "payment_at": "at"}
REFUND = {"refunds": "r", "refund_id": "id", "refund_value": "v", "refund_state": "s", "refund_payment": "of"}
WORDS = {
    "payment_states": {"ok": "taken", "held": "authorized", "no": "failed", "seen": "none"},
    "refund_states": {"ok": "done", "sent": "pending", "lost": "failed", "won": "reversed"},
}


def source(**more: Any) -> Source:
    given = {**LEAST, **more}
    given["fields"] = {**LEAST["fields"], **given["fields"]}
    return Source("generic", **given)


def sent(body: object, headers: dict[str, str] | None = None, query: dict[str, str] | None = None) -> Delivery:
    return arrived(body, headers, query=query, url="https://registry.example/webhooks/src_1")


def said(document: dict[str, Any], **more: Any) -> OrderView:
    return source(**more).order({"event": "order", "id": "1", **document})


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", MANUAL, re.DOTALL | re.MULTILINE)


def from_the_command_line() -> dict[str, str]:
    words = shlex.split(blocks("sh")[0].replace("\\\n", ""))
    pairs = [words[at + 1] for at, word in enumerate(words) if word == "--option"]
    return dict(pair.split("=", 1) for pair in pairs)
