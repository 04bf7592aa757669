"""What holds for every signature scheme: what is believed, and that everything else is Unverified and nothing else."""

import hashlib
import hmac
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import (
    AnyOf,
    Delivery,
    Hmac,
    Signature,
    Strength,
    TimestampedHmac,
    Unsigned,
    Unverified,
    hex_key,
    usable,
    whsec_key,
)
from tests.contract.schemes_at_hand import (
    BODY,
    BODY_TOKEN,
    EVERY,
    HEX,
    KEY,
    NOW,
    OTHER_KEY,
    SECRET,
    STRIPE,
    TOKEN,
    arrived,
    each_scheme,
    mac,
    why,
)

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
    assert scheme.description.strip()
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


# -- Keys ------------------------------------------------------------------------------------------------------------


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
    assert "it signs nothing" in scheme.description
    with pytest.raises(TypeError):
        Unsigned()  # type: ignore[call-arg]  # that it cannot be left out is what is tested


def test_there_is_no_default() -> None:
    kinds: tuple[Any, ...] = (Hmac, TimestampedHmac, Unsigned)
    for scheme in kinds:
        with pytest.raises(TypeError):
            scheme()


def test_usable_secrets() -> None:
    assert usable(["", "a", "", "b"]) == ["a", "b"]


def test_only_bytes_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every comparison goes through hmac.compare_digest, on bytes: on text it fails beyond ASCII."""
    compared: list[tuple[object, object]] = []

    def watched(ours: Any, theirs: Any) -> bool:
        compared.append((ours, theirs))
        return bool(ours == theirs)

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
