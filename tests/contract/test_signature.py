"""Signature schemes, each at its edges: what is believed, and that everything else is Unverified and nothing else."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import (
    AnyOf,
    Delivery,
    Hmac,
    Signature,
    StandardWebhooks,
    Strength,
    TimestampedHmac,
    Token,
    Unsigned,
    Unverified,
    body_token,
    hex_key,
    time_dot_body,
    usable,
    whsec_key,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SENT = str(int(NOW.timestamp()))
BODY = '{"id": 1, "name": "Conceição"}'.encode()
SECRET, OTHER = "a made-up secret", "another made-up secret"
WHSEC = "whsec_" + base64.b64encode(b"a made-up key of 32 bytes, or so").decode()


def arrived(headers: dict[str, str] | None = None, body: bytes = BODY, **query: str) -> Delivery:
    return Delivery(body=body, headers=headers or {}, received_at=NOW, query=query)


def why(scheme: Signature, delivery: Delivery, *secrets: str, now: datetime = NOW) -> str:
    """Why the delivery is refused."""
    with pytest.raises(Unverified) as refused:
        scheme.verify(delivery, secrets or (SECRET,), now)
    return refused.value.reason


def mac(body: bytes, secret: str = SECRET, algorithm: str = "sha256") -> bytes:
    return hmac.new(secret.encode(), body, algorithm).digest()


HEX = Hmac(header="x-sig", encoding="hex")
BASE64 = Hmac(header="x-sig", encoding="base64")
SHA1 = Hmac(header="x-sig", encoding="hex", algorithm="sha1")
PREFIXED = Hmac(header="x-sig", encoding="hex", prefix="sha256=")
TWO_NAMES = Hmac(header=("x-new", "x-old"), encoding="hex")
IN_QUERY = Hmac(query="signature", encoding="hex")
OVER_TIME = Hmac(header="x-sig", encoding="hex", message=time_dot_body("x-time"), time_header="x-time")
MILLISECONDS = Hmac(
    header="x-sig", encoding="hex", message=time_dot_body("x-time"), time_header="x-time", time_unit=1000, tolerance=5
)
STRIPE = TimestampedHmac(header="x-sig", time_name="t", mac_name="v1", between=",", joined_by=".", tolerance=300)
PADDLE = TimestampedHmac(header="x-sig", time_name="ts", mac_name="h1", between=";", joined_by=":", tolerance=5)
STANDARD = StandardWebhooks()
TOKEN = Token(header="x-token")
BEARER = Token(header="authorization", prefix="Bearer ")
BASIC = Token(header="authorization", basic=True)
QUERY_TOKEN = Token(query="token")
BODY_TOKEN = body_token("account.token")
FORM_TOKEN = body_token("account.token", "form")

EVERY: dict[str, Signature] = {
    "hex": HEX,
    "base64": BASE64,
    "sha1": SHA1,
    "sha512": Hmac(header="x-sig", encoding="base64", algorithm="sha512"),
    "prefixed": PREFIXED,
    "two_names": TWO_NAMES,
    "in_query": IN_QUERY,
    "over_time": OVER_TIME,
    "milliseconds": MILLISECONDS,
    "hex_key": Hmac(header="x-sig", encoding="base64", key=hex_key),
    "stripe": STRIPE,
    "paddle": PADDLE,
    "standard": STANDARD,
    "token": TOKEN,
    "bearer": BEARER,
    "basic": BASIC,
    "query_token": QUERY_TOKEN,
    "body_token": BODY_TOKEN,
    "form_token": FORM_TOKEN,
    "any_of": AnyOf((HEX, BODY_TOKEN)),
}
each_scheme = pytest.mark.parametrize("scheme", EVERY.values(), ids=EVERY)
# 64 hexadecimal digits are a key in hexadecimal, in base64 and as text.
KEY, OTHER_KEY = "5a" * 32, "c3" * 32


# -- What holds for all of them -----------------------------------------------------------------------------------


@each_scheme
def test_signed_with_one_of_the_secrets(scheme: Signature) -> None:
    delivery = scheme.sign(arrived(), KEY, NOW)
    for secrets in ([KEY], [OTHER_KEY, KEY], [KEY, OTHER_KEY], ["", KEY]):
        assert scheme.verify(delivery, secrets, NOW) == KEY
    assert why(scheme, delivery, OTHER_KEY) == Unverified.MISMATCH


@each_scheme
def test_no_secret_proves_nothing(scheme: Signature) -> None:
    delivery = scheme.sign(arrived(), KEY, NOW)
    for secrets in ([], [""], ["", ""]):
        with pytest.raises(Unverified) as refused:
            scheme.verify(delivery, secrets, NOW)
        assert refused.value.reason == Unverified.NO_SECRET


@each_scheme
def test_words_and_strength(scheme: Signature) -> None:
    assert scheme.words.strip()
    assert scheme.strength in (Strength.MAC, Strength.TOKEN)
    assert scheme.can_sign


ANYTHING = (
    st.text()
    | st.text(alphabet=st.characters(exclude_categories=()))
    | st.binary().map(lambda raw: raw.decode("latin-1"))
)


@each_scheme
@settings(max_examples=40)
@given(
    headers=st.dictionaries(
        st.sampled_from(
            [
                "x-sig",
                "x-new",
                "x-old",
                "x-time",
                "x-token",
                "authorization",
                "webhook-id",
                "webhook-timestamp",
                "webhook-signature",
                "svix-signature",
            ]
        ),
        ANYTHING,
    ),
    query=ANYTHING,
    body=st.binary(),
    secret=ANYTHING,
)
def test_anything_at_all_is_unverified(
    scheme: Signature, headers: dict[str, str], query: str, body: bytes, secret: str
) -> None:
    delivery = Delivery(body=body, headers=headers, received_at=NOW, query={"signature": query, "token": query})
    if secret.strip() not in "".join([*headers.values(), query]):
        with pytest.raises(Unverified):
            scheme.verify(delivery, [secret], NOW)


@given(secret=ANYTHING, body=st.binary(max_size=20))
def test_whatever_the_secret_no_scheme_fails_otherwise(secret: str, body: bytes) -> None:
    for scheme in EVERY.values():
        delivery = arrived({"x-sig": "t=1,v1=x", "x-time": "1", "authorization": "x", "x-token": "x"}, body)
        if secret != "x":
            with pytest.raises(Unverified):
                scheme.verify(delivery, [secret], NOW)


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


@pytest.mark.parametrize("secret", ["whsec_", "whsec_x", "whsec_é", "whsec_****", " ", "whsec_ ", "==", "whsec_=="])
def test_what_is_no_key_proves_nothing(secret: str) -> None:
    with pytest.raises(Unverified) as refused:
        whsec_key(secret)
    assert refused.value.reason == Unverified.NO_SECRET


@pytest.mark.parametrize("secret", [" ", "x", "0", "abc", "é", "0x00", "\n"])
def test_what_is_no_hexadecimal_key_proves_nothing(secret: str) -> None:
    with pytest.raises(Unverified) as refused:
        hex_key(secret)
    assert refused.value.reason == Unverified.NO_SECRET


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
)  # fmt: skip
def test_a_token_in_the_body(scheme: Token, body: bytes) -> None:
    assert scheme.verify(arrived(body=body), [OTHER, SECRET], NOW) == SECRET
    assert why(scheme, arrived(body=body), OTHER) == Unverified.MISMATCH
    resigned = scheme.sign(arrived(body=body), OTHER, NOW)
    assert scheme.verify(resigned, [OTHER], NOW) == OTHER
    assert why(scheme, resigned) == Unverified.MISMATCH


@pytest.mark.parametrize(
    "body",
    [b"", b"x", b"null", b"[]", b"{}", b'"x"', b"1", b'{"account": null}', b'{"account": []}', b'{"account": "token"}',
     b'{"account": {}}', b'{"account": {"token": null}}', b'{"account": {"token": ""}}', b'{"account": {"token": 1}}',
     b'{"account": {"token": ["a made-up secret"]}}', b'{"account": {"token": true}}', b'[{"account": {}}]',
     b'{"account": {"token": "\\ud800"}}', b"[" * 100_000, b"account=1", b"account[token]", b"account[token][x]=1"],
)  # fmt: skip
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


# -- Several schemes, and none ------------------------------------------------------------------------------------

EITHER = AnyOf((HEX, BODY_TOKEN))


def test_either_scheme_will_do() -> None:
    with_token = BODY_TOKEN.sign(arrived(), SECRET, NOW)
    assert EITHER.verify(with_token, [SECRET], NOW) == SECRET
    assert EITHER.verify(HEX.sign(arrived(), SECRET, NOW), [SECRET], NOW) == SECRET


def test_the_reason_is_that_of_the_scheme_that_was_tried() -> None:
    assert why(EITHER, arrived()) in (Unverified.MISSING, Unverified.MALFORMED)
    assert why(EITHER, arrived({"x-sig": "x"})) == Unverified.MISMATCH
    other_way = AnyOf((TOKEN, STRIPE))
    assert why(other_way, arrived()) == Unverified.MISSING
    assert why(other_way, arrived({"x-sig": "x"})) == Unverified.MALFORMED
    assert why(other_way, arrived({"x-token": "x"})) == Unverified.MISMATCH
    old = STRIPE.sign(arrived(), SECRET, NOW - timedelta(days=1))
    assert why(other_way, old) == Unverified.TOO_OLD


def test_several_schemes_are_as_strong_as_the_weakest() -> None:
    assert EITHER.strength is Strength.TOKEN
    assert AnyOf((HEX, STRIPE)).strength is Strength.MAC
    assert AnyOf((HEX, Unsigned(because="made up"))).strength is Strength.FETCHED


def test_no_scheme_at_all_believes_nothing() -> None:
    assert why(AnyOf(()), arrived()) == Unverified.MISSING


def test_unsigned_says_why() -> None:
    scheme = Unsigned(because="it signs nothing")
    assert scheme.strength is Strength.FETCHED
    assert scheme.verify(arrived(), [], NOW) == ""
    assert "it signs nothing" in scheme.words
    with pytest.raises(TypeError):
        Unsigned()  # type: ignore[call-arg]  # that it cannot be left out is what is tested


def test_there_is_no_default() -> None:
    for scheme in (Hmac, TimestampedHmac, Unsigned):
        with pytest.raises(TypeError):
            scheme()


def test_usable_secrets() -> None:
    assert usable(["", "a", "", "b"]) == ["a", "b"]


def test_only_bytes_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every comparison goes through hmac.compare_digest, on bytes: on text it fails beyond ASCII."""
    compared: list[tuple[object, object]] = []

    def watched(ours: Any, theirs: Any) -> bool:
        compared.append((ours, theirs))
        return ours == theirs

    monkeypatch.setattr(hmac, "compare_digest", watched)
    for scheme in EVERY.values():
        compared.clear()
        scheme.verify(scheme.sign(arrived(), KEY, NOW), [KEY], NOW)
        assert compared
        assert all(isinstance(ours, bytes) and isinstance(theirs, bytes) for ours, theirs in compared)


def test_digests_of_nothing_are_no_way_in() -> None:
    """What an empty key or an empty message gives is known to everybody."""
    for known in (hmac.new(b"", BODY, "sha256").hexdigest(), hashlib.sha256(BODY).hexdigest(), mac(b"").hex()):
        assert why(HEX, arrived({"x-sig": known})) == Unverified.MISMATCH
