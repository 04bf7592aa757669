"""Each scheme at its edges: an HMAC, one with its time, Standard Webhooks, tokens in header, query and body."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from adapters.contract import (
    Delivery,
    Hmac,
    Signature,
    Strength,
    Token,
    Unverified,
    hex_key,
)
from tests.contract.schemes_at_hand import (
    BASE64,
    BASIC,
    BEARER,
    BODY,
    BODY_TOKEN,
    FORM_TOKEN,
    HEX,
    IN_QUERY,
    KEY,
    MILLISECONDS,
    NOW,
    OTHER,
    OTHER_KEY,
    OVER_TIME,
    PADDLE,
    PREFIXED,
    QUERY_TOKEN,
    SECRET,
    SENT,
    SHA1,
    STANDARD,
    STRIPE,
    TOKEN,
    TWO_NAMES,
    WHSEC,
    arrived,
    mac,
    why,
)

# -- One HMAC -----------------------------------------------------------------------------------------------------


def test_hmac_is_the_standard_librarys() -> None:
    assert HEX.verify(arrived({"x-sig": mac(BODY).hex()}), [SECRET], NOW) == SECRET
    assert BASE64.verify(arrived({"x-sig": base64.b64encode(mac(BODY)).decode()}), [SECRET], NOW) == SECRET
    assert SHA1.verify(arrived({"x-sig": mac(BODY, algorithm="sha1").hex()}), [SECRET], NOW) == SECRET
    assert PREFIXED.verify(arrived({"x-sig": "sha256=" + mac(BODY).hex()}), [SECRET], NOW) == SECRET
    assert IN_QUERY.verify(arrived(signature=mac(BODY).hex()), [SECRET], NOW) == SECRET


def test_rfc_4231() -> None:
    """HMAC-SHA-256, test cases 2 (a text key) and 1 (a binary key, here given in hexadecimal)."""
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert HEX.verify(arrived({"x-sig": expected}, b"what do ya want for nothing?"), ["Jefe"], NOW) == "Jefe"
    binary = Hmac(header="x-sig", encoding="hex", key=hex_key)
    expected = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
    assert binary.verify(arrived({"x-sig": expected}, b"Hi There"), ["0b" * 20], NOW) == "0b" * 20


@pytest.mark.parametrize(
    "spoil",
    [
        str.upper,
        lambda right: right[:-1],
        lambda right: right[: len(right) // 2],
        lambda right: "",
        lambda right: right + "0",
        lambda right: right + " ",
        lambda right: " " + right,
        lambda right: right + "\n",
        lambda right: f"sha256={right}",
        lambda right: f"{right},{right}",
        lambda right: f'"{right}"',
        lambda right: right.replace(right[0], chr(ord(right[0]) + 0xFEE0)),  # its full-width twin
    ],
)
def test_a_hex_mac_that_is_almost_right(spoil: Callable[[str], str]) -> None:
    right = mac(BODY).hex()
    assert right != right.upper()
    assert why(HEX, arrived({"x-sig": spoil(right)})) == Unverified.MISMATCH
    assert why(IN_QUERY, arrived(signature=spoil(right))) == Unverified.MISMATCH


@pytest.mark.parametrize(
    "spoil",
    [
        str.swapcase,
        lambda right: right.rstrip("="),
        lambda right: right + "=",
        lambda right: right.replace("+", "-").replace("/", "_"),
        lambda right: base64.b64decode(right).hex(),
        # base64 leaves bits over: another last letter decodes to the same bytes. Nothing is decoded here.
        lambda right: right[:-2] + chr(ord(right[-2]) + 1) + "=",
    ],
)
def test_a_base64_mac_that_is_almost_right(spoil: Callable[[str], str]) -> None:
    body = next(b"%d" % n for n in range(1000) if {"+", "/"} <= set(base64.b64encode(mac(b"%d" % n)).decode()))
    right = base64.b64encode(mac(body)).decode()
    assert BASE64.verify(arrived({"x-sig": right}, body), [SECRET], NOW)
    assert why(BASE64, arrived({"x-sig": spoil(right)}, body)) == Unverified.MISMATCH


def test_missing_and_repeated() -> None:
    right = mac(BODY).hex()
    assert why(HEX, arrived()) == Unverified.MISSING
    assert why(IN_QUERY, arrived({"signature": right})) == Unverified.MISSING
    twice = Delivery(body=BODY, headers={"x-sig": right}, received_at=NOW, repeated=frozenset({"x-sig"}))
    assert why(HEX, twice) == Unverified.REPEATED
    elsewhere = Delivery(body=BODY, headers={"x-sig": right}, received_at=NOW, repeated=frozenset({"x-other"}))
    assert HEX.verify(elsewhere, [SECRET], NOW) == SECRET


def test_of_two_families_the_first_that_came_counts() -> None:
    right = mac(BODY).hex()
    assert TWO_NAMES.verify(arrived({"x-new": right}), [SECRET], NOW) == SECRET
    assert TWO_NAMES.verify(arrived({"x-old": right}), [SECRET], NOW) == SECRET
    assert TWO_NAMES.verify(arrived({"x-new": right, "x-old": "x"}), [SECRET], NOW) == SECRET
    assert why(TWO_NAMES, arrived({"x-new": "x", "x-old": right})) == Unverified.MISMATCH


def test_the_body_counts_to_the_byte() -> None:
    right = {"x-sig": mac(BODY).hex()}
    for body in (BODY + b"\n", BODY[:-1], BODY.replace(b" ", b""), json.dumps(json.loads(BODY)).encode(), b""):
        assert why(HEX, arrived(right, body)) == Unverified.MISMATCH


def test_a_message_without_the_body_proves_only_the_sender() -> None:
    scheme = Hmac(header="x-sig", encoding="hex", message=lambda delivery: delivery.url.encode(), proves_body=False)
    assert scheme.strength is Strength.TOKEN
    assert HEX.strength is Strength.MAC
    signed = scheme.sign(arrived(), SECRET, NOW)
    assert scheme.verify(signed.changed(body=b"another"), [SECRET], NOW) == SECRET


@pytest.mark.parametrize("places", [{}, {"header": "x-sig", "query": "signature"}])
def test_an_hmac_has_one_place(places: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        Hmac(encoding="hex", **places)
    with pytest.raises(TypeError):
        Token(**places)


@pytest.mark.parametrize(
    ("scheme", "unit", "tolerance"),
    [(OVER_TIME, 1, 300), (MILLISECONDS, 1000, 5), (STRIPE, 1, 300), (PADDLE, 1, 5), (STANDARD, 1, 300)],
    ids=["over_time", "milliseconds", "stripe", "paddle", "standard"],
)
def test_too_old_and_too_new(scheme: Signature, unit: int, tolerance: int) -> None:
    signed = scheme.sign(arrived(), KEY, NOW)
    assert any(str(int(NOW.timestamp()) * unit) in value for value in signed.headers.values())
    for off in (0, tolerance, -tolerance):
        assert scheme.verify(signed, [KEY], NOW + timedelta(seconds=off)) == KEY
    assert why(scheme, signed, KEY, now=NOW + timedelta(seconds=tolerance, milliseconds=1)) == Unverified.TOO_OLD
    assert why(scheme, signed, KEY, now=NOW - timedelta(seconds=tolerance, milliseconds=1)) == Unverified.TOO_NEW
    assert why(scheme, signed, KEY, now=NOW + timedelta(days=40_000)) == Unverified.TOO_OLD
    # Without a secret nobody learns whether a time was right.
    assert why(scheme, signed, OTHER_KEY, now=NOW + timedelta(days=1)) == Unverified.MISMATCH


STRANGE_TIMES = (
    "",
    "x",
    "-1",
    "+1",
    "1.5",
    "1e9",
    " 1",
    "0x10",
    "1_000",
    "9" * 17,
    "9" * 5000,
    "٣",
    "²",
    "\udc80",
    "\ud800",
)


@pytest.mark.parametrize("sent", STRANGE_TIMES)
def test_a_time_that_is_none_is_refused_even_when_it_is_signed(sent: str) -> None:
    """As a source with a fault, or somebody with the secret, would send it."""
    raw = sent.encode("utf-8", "surrogatepass")
    over_time = {"x-time": sent, "x-sig": mac(raw + b"." + BODY).hex()}
    assert why(OVER_TIME, arrived(over_time)) == Unverified.MALFORMED
    stripe = {"x-sig": f"t={sent},v1={mac(raw + b'.' + BODY).hex()}"}
    assert why(STRIPE, arrived(stripe)) in (Unverified.MALFORMED, Unverified.MISMATCH)
    signature = STANDARD.expected("msg_1", sent, BODY, WHSEC).decode()
    standard = {"webhook-id": "msg_1", "webhook-timestamp": sent, "webhook-signature": signature}
    assert why(STANDARD, arrived(standard), WHSEC) == Unverified.MALFORMED


def test_a_huge_time_that_is_signed_is_too_new() -> None:
    sent = "9" * 16
    signed = {"x-time": sent, "x-sig": mac(sent.encode() + b"." + BODY).hex()}
    assert why(OVER_TIME, arrived(signed)) == Unverified.TOO_NEW


def test_the_time_is_part_of_what_is_signed() -> None:
    signed = OVER_TIME.sign(arrived(), SECRET, NOW)
    assert why(OVER_TIME, signed.changed(headers={"x-time": str(int(SENT) + 1)})) == Unverified.MISMATCH
    assert why(OVER_TIME, arrived({"x-sig": signed.headers["x-sig"]})) == Unverified.MISSING
    twice = Delivery(body=BODY, headers=signed.headers, received_at=NOW, repeated=frozenset({"x-time"}))
    assert why(OVER_TIME, twice) == Unverified.REPEATED


# -- Time and HMACs in one header ---------------------------------------------------------------------------------

RIGHT = mac(SENT.encode() + b"." + BODY).hex()
WRONG = "0" * 64


@pytest.mark.parametrize(
    "value",
    [
        f"t={SENT},v1={RIGHT}",
        f"v1={RIGHT},t={SENT}",
        f"t={SENT},v1={WRONG},v1={RIGHT}",
        f"t={SENT},v1={RIGHT},v1={WRONG}",
        f"t={SENT},v1={RIGHT},v0={WRONG}",
        f"t={SENT}, v1={RIGHT}",
        f"t={SENT},,v1={RIGHT},x",
    ],
)
def test_a_right_one_among_several(value: str) -> None:
    assert STRIPE.verify(arrived({"x-sig": value}), [OTHER, SECRET], NOW) == SECRET


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", Unverified.MALFORMED),
        (RIGHT, Unverified.MALFORMED),
        (f"v1={RIGHT}", Unverified.MALFORMED),
        (f"t={SENT}", Unverified.MALFORMED),
        (f"t={SENT},v0={RIGHT}", Unverified.MALFORMED),
        (f"t={SENT},V1={RIGHT}", Unverified.MALFORMED),
        (f"t={SENT},t={SENT},v1={RIGHT}", Unverified.MALFORMED),
        (f"t=1,t={SENT},v1={RIGHT}", Unverified.MALFORMED),
        (f"t={SENT};v1={RIGHT}", Unverified.MALFORMED),
        (f"t={SENT},v1=", Unverified.MISMATCH),
        (f"t={SENT},v1={RIGHT.upper()}", Unverified.MISMATCH),
        (f"t={SENT},v1={RIGHT[:-1]}", Unverified.MISMATCH),
        (f"t={SENT},v1={RIGHT}=", Unverified.MISMATCH),
        (f"t=0{SENT},v1={RIGHT}", Unverified.MISMATCH),
        (f"t={int(SENT) + 1},v1={RIGHT}", Unverified.MISMATCH),
        # Nobody makes us compare without end.
        (f"t={SENT}," + f"v1={WRONG}," * 40 + f"v1={RIGHT}", Unverified.MISMATCH),
    ],
)
def test_a_header_that_is_almost_right(value: str, reason: str) -> None:
    assert why(STRIPE, arrived({"x-sig": value})) == reason


# -- Standard Webhooks --------------------------------------------------------------------------------------------


def standard(family: str = "webhook-", **changes: str) -> dict[str, str]:
    right = STANDARD.expected("msg_1", SENT, BODY, WHSEC).decode()
    headers = {"id": "msg_1", "timestamp": SENT, "signature": right} | changes
    return {f"{family}{name}": value for name, value in headers.items()}


def test_the_list_of_signatures() -> None:
    right = standard()["webhook-signature"]
    for value in (right, f"v1,{WRONG} {right}", f"{right} v1a,{WRONG}", f"v1a,x  {right}"):
        assert STANDARD.verify(arrived(standard(signature=value)), [WHSEC], NOW) == WHSEC
    for value in ("", right[3:], f"v2,{right[3:]}", f"v1a,{right[3:]}", f"{right},v1,x"):
        assert why(STANDARD, arrived(standard(signature=value)), WHSEC) == Unverified.MISMATCH
    many = " ".join(["v1,x"] * 40 + [right])
    assert why(STANDARD, arrived(standard(signature=many)), WHSEC) == Unverified.MISMATCH


def test_a_secret_without_its_prefix_is_the_same_key() -> None:
    bare = WHSEC.removeprefix("whsec_")
    assert STANDARD.verify(arrived(standard()), [bare], NOW) == bare


def test_svix_spells_the_headers_its_way() -> None:
    assert STANDARD.verify(arrived(standard("svix-")), [WHSEC], NOW) == WHSEC
    mixed = {"svix-signature": standard()["webhook-signature"], "webhook-id": "msg_1", "webhook-timestamp": SENT}
    assert why(STANDARD, arrived(mixed), WHSEC) == Unverified.MISSING


def test_id_and_time_are_part_of_what_is_signed() -> None:
    assert why(STANDARD, arrived(standard(id="msg_2")), WHSEC) == Unverified.MISMATCH
    assert why(STANDARD, arrived(standard(timestamp=str(int(SENT) - 1))), WHSEC) == Unverified.MISMATCH
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        left = {key: value for key, value in standard().items() if key != name}
        assert why(STANDARD, arrived(left), WHSEC) == Unverified.MISSING
        twice = Delivery(body=BODY, headers=standard(), received_at=NOW, repeated=frozenset({name}))
        assert why(STANDARD, twice, WHSEC) == Unverified.REPEATED


def test_signing_keeps_an_id_that_is_given() -> None:
    assert STANDARD.sign(arrived({"webhook-id": "msg_7"}), WHSEC, NOW).headers["webhook-id"] == "msg_7"
    assert STANDARD.sign(arrived(), WHSEC, NOW).headers["webhook-id"].startswith("msg_")


# -- Tokens -------------------------------------------------------------------------------------------------------


def test_tokens_are_compared_whole() -> None:
    assert TOKEN.verify(arrived({"x-token": SECRET}), [OTHER, SECRET], NOW) == SECRET
    assert BEARER.verify(arrived({"authorization": f"Bearer {SECRET}"}), [SECRET], NOW) == SECRET
    assert QUERY_TOKEN.verify(arrived(token=SECRET), [SECRET], NOW) == SECRET
    for shown in (SECRET[:-1], SECRET + "x", SECRET + " ", SECRET.upper(), f"Bearer {SECRET}", "a"):
        assert why(TOKEN, arrived({"x-token": shown})) == Unverified.MISMATCH
        assert why(QUERY_TOKEN, arrived(token=shown)) == Unverified.MISMATCH
    for shown in (SECRET, f"bearer {SECRET}", f"Bearer  {SECRET}", "Bearer ", "Bearer"):
        assert why(BEARER, arrived({"authorization": shown})) == Unverified.MISMATCH
    for missing in (arrived(), arrived({"x-token": "", "authorization": ""}, token="")):
        for scheme in (TOKEN, BEARER, BASIC, QUERY_TOKEN):
            assert why(scheme, missing) == Unverified.MISSING
    twice = Delivery(body=BODY, headers={"x-token": SECRET}, received_at=NOW, repeated=frozenset({"x-token"}))
    assert why(TOKEN, twice) == Unverified.REPEATED


def test_a_token_beyond_ascii() -> None:
    """A header's bytes are Latin-1 (RFC 9110 §5.5), which is how the delivery reads them."""
    delivery = Delivery.arrived([(b"X-Token", "conceição".encode("latin-1"))], BODY, received_at=NOW)
    assert TOKEN.verify(delivery, ["conceição"], NOW) == "conceição"
    assert QUERY_TOKEN.verify(
        Delivery.arrived([], BODY, received_at=NOW, query_string=f"token={quote('conceição')}".encode()),
        ["conceição"],
        NOW,
    )


def test_basic_is_rfc_7617() -> None:
    """Its own example, §2."""
    delivery = arrived({"authorization": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="})
    assert BASIC.verify(delivery, ["Aladdin:open sesame"], NOW) == "Aladdin:open sesame"
    assert why(BASIC, delivery, "Aladdin:open") == Unverified.MISMATCH
    for shown in (
        "QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ",
        "Basic ",
        "Basic Aladdin:open sesame",
    ):
        assert why(BASIC, arrived({"authorization": shown}), "Aladdin:open sesame") == Unverified.MISMATCH


@pytest.mark.parametrize(
    ("scheme", "body"),
    [
        (BODY_TOKEN, b'{"account": {"token": "%s"}, "id": 1}' % SECRET.encode()),
        (FORM_TOKEN, b"id=1&account[token]=%s" % quote(SECRET).encode()),
    ],
    ids=["json", "form"],
)
def test_a_token_in_the_body(scheme: Token, body: bytes) -> None:
    assert scheme.verify(arrived(body=body), [OTHER, SECRET], NOW) == SECRET
    assert why(scheme, arrived(body=body), OTHER) == Unverified.MISMATCH
    resigned = scheme.sign(arrived(body=body), OTHER, NOW)
    assert scheme.verify(resigned, [OTHER], NOW) == OTHER
    assert why(scheme, resigned) == Unverified.MISMATCH


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"null",
        b"[]",
        b"{}",
        b'"x"',
        b"1",
        b'{"account": null}',
        b'{"account": []}',
        b'{"account": "token"}',
        b'{"account": {}}',
        b'{"account": {"token": null}}',
        b'{"account": {"token": ""}}',
        b'{"account": {"token": 1}}',
        b'{"account": {"token": ["a made-up secret"]}}',
        b'{"account": {"token": true}}',
        b'[{"account": {}}]',
        b'{"account": {"token": "\\ud800"}}',
        b"[" * 100_000,
        b"account=1",
        b"account[token]",
        b"account[token][x]=1",
    ],
)
def test_a_body_without_its_token(body: bytes) -> None:
    for scheme in (BODY_TOKEN, FORM_TOKEN):
        assert why(scheme, arrived(body=body)) in (Unverified.MISSING, Unverified.MALFORMED, Unverified.MISMATCH)


def test_signing_puts_the_token_where_it_belongs() -> None:
    assert json.loads(BODY_TOKEN.sign(arrived(body=b"{}"), SECRET, NOW).body) == {"account": {"token": SECRET}}
    for body in (b"[]", b"null", b'{"account": 1}'):
        assert BODY_TOKEN.sign(arrived(body=body), SECRET, NOW).body == body
    kept = FORM_TOKEN.sign(arrived(body=b"a=&account[token]=old&b=%C3%A7"), SECRET, NOW)
    assert b"old" not in kept.body
    assert b"a=&b=%C3%A7" in kept.body
