"""How an event is signed, where the secrets are, and that a receiver's certificate must be good."""

import json
import re
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.contract import Unverified
from app.background import http_client
from app.base import clock
from app.base.ssrf_guard import networks
from app.base.tuning import Tuning
from tests.house import House, order_event
from tests.receiver import Receiver, receiving
from tests.web.subscriptions.conftest import ALL, SOON, STANDARD, rows, silent, subscribed

pytestmark = [pytest.mark.anyio, SOON]


async def test_our_own_standard_adapter_verifies_it(house: House, receiver: Receiver) -> None:
    source, made = await house.source(), await subscribed(house, receiver, "order.created")
    await house.deliver(source, order_event("1"))
    await silent(house)
    [told] = receiver.told
    present = clock.moment(clock.now())
    assert STANDARD.verify(told.delivery, [made["secret"]], present) == made["secret"]
    with pytest.raises(Unverified):
        STANDARD.verify(told.delivery.changed(body=told.body + b" "), [made["secret"]], present)

    # Rotated: signed with both, then with the newer one alone.
    newer = (await house.call("POST", f"/v1/subscriptions/{made['id']}/secrets", {"overlap": "24h"})).json()
    await house.deliver(source, order_event("2"))
    await silent(house)
    both = receiver.told[-1]
    for secret in (made["secret"], newer["secret"]):
        assert STANDARD.verify(both.delivery, [secret], present) == secret
    old = (await house.get(f"/v1/subscriptions/{made['id']}"))["secrets"][-1]["id"]
    assert (await house.call("DELETE", f"/v1/subscriptions/{made['id']}/secrets/{old}")).status_code == 204
    await house.deliver(source, order_event("3"))
    await silent(house)
    assert STANDARD.verify(receiver.told[-1].delivery, [newer["secret"]], present)
    with pytest.raises(Unverified):
        STANDARD.verify(receiver.told[-1].delivery, [made["secret"]], present)
    last = await house.call("DELETE", f"/v1/subscriptions/{made['id']}/secrets/{newer['id']}")
    assert (last.status_code, last.json()["code"]) == (409, "conflict")
    ended = (await house.call("POST", f"/v1/subscriptions/{made['id']}/secrets", {"overlap": "0s"})).json()
    await house.deliver(source, order_event("4"))
    await silent(house)
    assert receiver.told[-1].headers["webhook-signature"].count("v1,") == 1
    assert STANDARD.verify(receiver.told[-1].delivery, [ended["secret"]], present)


async def test_the_manual_says_how_to_verify(house: House, receiver: Receiver) -> None:
    manual = (Path(__file__).parents[3] / "docs" / "subscriptions.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(r"```python\n(.*?)```", manual, re.DOTALL)
    names: dict[str, Any] = {}
    exec(snippet, names)  # noqa: S102 - our own manual
    source, made = await house.source(), await subscribed(house, receiver)
    await house.call("POST", f"/v1/subscriptions/{made['id']}/secrets", {})
    await house.deliver(source, order_event())
    await silent(house)
    [told] = receiver.told
    assert names["verified"](made["secret"], told.headers, told.body)
    assert not names["verified"](made["secret"], told.headers, told.body + b" ")
    assert not names["verified"](made["secret"], told.headers | {"webhook-timestamp": "1700000000"}, told.body)
    example = json.loads(re.sub(r', "…": "[^"]*"', "", re.findall(r"```json\n(.*?)```", manual, re.DOTALL)[0]))
    await house.deliver(source, order_event(status="refunded", at="2026-11-21T13:00:00Z"))
    await silent(house)
    [changed] = receiver.events("order.status_changed")
    assert (set(changed), set(changed["data"])) == (set(example), set(example["data"]))
    for word in (*ALL, "replaces", "contact_id", "merged"):
        assert f"`{word}`" in manual


async def test_a_receiver_s_certificate_must_be_good(receiver: Receiver, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    named = networks("127.0.0.0/8")
    trusting = ssl.create_default_context(cafile=str(certificate))
    async with receiving(ssl_certfile=str(certificate), ssl_keyfile=str(key)) as sealed:
        for trusted, url, words in (
            (None, sealed.url, "certificate"),
            (trusting, sealed.url.replace("127.0.0.1", "localhost"), "certificate"),  # it names another host
            (trusting, sealed.url, None),
        ):
            client = http_client.EventHttpClient(named, Tuning(), trusted)
            try:
                answer = await client.post(url, {"content-type": "application/json"}, b"{}")
                assert words is None and answer.status == 200
            except http_client.Unreachable as why:
                assert words is not None and words in str(why)
            finally:
                await client.close()
    assert len(sealed.told) == 1


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate of nobody's for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver")])
    present = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(present - timedelta(hours=1))
        .not_valid_after(present + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


async def test_secrets_are_shown_once_and_stand_nowhere_in_the_open(house: House, receiver: Receiver) -> None:
    made = await subscribed(house, receiver)
    secret = made["secret"]
    assert secret not in json.dumps(await house.get(f"/v1/subscriptions/{made['id']}"))
    assert secret not in json.dumps(await house.data("/v1/subscriptions"))
    for table in ("subscriptions", "secrets", "attempts", "outbox"):
        assert secret not in str(await rows(house, f"SELECT * FROM {table}"))
    resealed = await house.operator.post("/operator/rotate-master-key", json={})
    assert resealed.json() == {"resealed": 1}
