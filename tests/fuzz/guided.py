"""Coverage-guided, with atheris where it can be installed: `verify` and reading of every adapter, and every parser.

.venv/bin/pip install atheris && .venv/bin/python -m tests.fuzz.guided -max_total_time=1800
"""

import sys
from collections.abc import Callable
from contextlib import suppress

import atheris

with atheris.instrument_imports(include=["adapters", "app"]):
    import adapters
    from adapters.contract import Delivery, Ignored, Unreadable, Unverified, form_body, json_body
    from adapters.contract.delivery import json_answer
    from app.base.identity import document, email, mentioned, phone
    from tests.samples import RECEIVED_AT, URL, Sample, all_samples, secret_for

SAMPLES = list(all_samples())
SECRETS = {name: secret_for(adapters.load(name)) for name in adapters.names()}
TEXTS: list[Callable[[str], object]] = [phone, document, email, mentioned]


def _verify(sample: Sample, delivery: Delivery) -> None:
    with suppress(Unverified):
        sample.scheme.verify(delivery, [SECRETS[sample.adapter_name]], RECEIVED_AT)


def _read(sample: Sample, delivery: Delivery) -> None:
    with suppress(Unreadable, Ignored):
        event = sample.adapter.read(delivery, sample.adapter.kind_of(delivery, sample.options), sample.options)
        if sample.adapter.brings == "orders" and event.kind not in sample.adapter.fetches:
            sample.adapter.translate(event)


def one(data: bytes) -> None:
    """One run: which target, then its bytes. Whatever is raised but the declared ends the run."""
    given = atheris.FuzzedDataProvider(data)
    sample = SAMPLES[given.ConsumeIntInRange(0, len(SAMPLES) - 1)]
    target = given.ConsumeIntInRange(0, 9)
    if target == 0:
        text = given.ConsumeUnicode(4096)
        for find in TEXTS:
            find(text)
        return
    body = given.ConsumeBytes(given.remaining_bytes())
    if target == 1:
        for parse in (json_body, json_answer, form_body):
            with suppress(Unreadable):
                parse(body)
        return
    if target < 6:  # a part of a sound body is another's
        at = len(sample.body) * target // 7
        body = sample.body[:at] + body + sample.body[at:]
    delivery = Delivery(
        body=body, headers=sample.delivery.headers, query=sample.delivery.query, received_at=RECEIVED_AT, url=URL
    )
    sample.adapter.handshake(delivery)
    _verify(sample, delivery)
    _read(sample, delivery)


def main() -> None:
    """Fuzz until `-max_total_time=` is over, or something is found."""
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
