"""What every adapter must keep to, asked of each with its samples; a new adapter is asked without being listed here."""

import inspect
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

import adapters
from adapters.contract import (
    AnyOf,
    Constant,
    Delivery,
    Ignored,
    Signature,
    Status,
    Strength,
    Unsigned,
    Unverified,
)
from tests.junk import BODIES, bodies_far_from, bodies_like
from tests.samples import (
    FILES,
    FOLDER,
    NAMES,
    OTHER_DIGITS,
    RECEIVED_AT,
    URL,
    Sample,
    all_samples,
    samples,
    secret_for,
)
from tests.scenarios import OWN as STORIES

ROOT = Path(adapters.__file__).parents[1]
# Changed bodies tried for one adapter, shared out among its samples.
MOST_BODIES = 5000

# What a source writes where it knows no address of the person.
NOBODY = frozenset({b"void@razorpay.com"})

JUNK = (
    "",
    " ",
    "x",
    "=",
    ",",
    "t=,v1=",
    "t=1",
    "ts=1,v1=",
    "v1=1,v1=2",
    "v1,",
    "v1, v1,",
    "null",
    "-1",
    "1e999",
    "9" * 5000,
    "0" * 64,
    "A" * 44,
    "é",
    "٣" * 64,
    "\x00",
    "\udc80",
    "\ud800",
    "\U0001f600" * 20,
    "a" * 100_000,
    "t=1," * 10_000,
    "v1,x " * 10_000,
)


def each_adapter(test: Any) -> Any:
    return pytest.mark.parametrize("name", adapters.names())(test)


def each_sample(test: Any) -> Any:
    found = [pytest.param(sample, id=f"{sample.adapter_name}-{sample.case}") for sample in all_samples()]
    return pytest.mark.parametrize("sample", found)(test)


def any_options(name: str) -> Any:
    """Options that the adapter takes: its defaults, or those of a sample where it cannot do without."""
    return next((sample.options for sample in samples(name)), None) or adapters.load(name).options()


# -- Declarations -------------------------------------------------------------------------------------------------


@each_adapter
def test_one_name_everywhere(name: str) -> None:
    adapter = adapters.load(name)
    assert adapter.name == name
    assert re.fullmatch("[a-z][a-z0-9]*", name)
    assert adapter.title.strip() == adapter.title != ""
    assert samples(name), "there is no sample"


def test_samples_belong_to_adapters_and_hold_nothing_else() -> None:
    assert {folder.name for folder in FOLDER.iterdir()} <= set(adapters.names())
    for sample in all_samples():
        assert re.fullmatch("[a-z0-9_]+", sample.case), sample.folder
        assert {file.name for file in sample.folder.iterdir()} <= FILES, sample.folder
        assert sample.said.keys() <= NAMES, sample.folder
        assert all(header == header.lower() for header in sample.said.get("headers", {})), sample.folder


@each_adapter
def test_links_and_setup(name: str) -> None:
    adapter = adapters.load(name)
    for link in (adapter.links.signing, adapter.links.payload):
        assert re.fullmatch(r"https://[^\s/]+\.[^\s]+", link) or (ROOT / link).is_file(), link
    steps = adapters.setup_steps(name)
    assert all(steps)
    assert any("{webhook_url}" in step for step in steps)
    for step in steps:
        assert step.format(webhook_url=URL).strip() == step.replace("{webhook_url}", URL)
    assert inspect.getdoc(inspect.getmodule(type(adapter)))


@each_adapter
def test_declarations_have_their_types(name: str) -> None:
    adapter = adapters.load(name)
    assert all(status is None or isinstance(status, Status) for status in adapter.statuses.values())
    assert not set(adapter.reads) & set(adapter.fetches), "a kind is either read or fetched"
    assert adapter.scheme(any_options(name)).description.strip()
    assert adapter.secret_made_by in ("theirs", "ours")
    if adapter.fetches:
        assert adapter.api is not None
        assert adapter.resource is not None
        assert adapter.api.key_description
        assert re.fullmatch(r"https://[a-z0-9.:-]+", adapter.api.origin_for(any_options(name)))
        assert not adapter.api.anywhere
    else:
        assert adapter.api is None or adapter.brings == "contacts", "there is nothing to fetch"


@each_adapter
def test_every_kind_has_a_sample(name: str) -> None:
    adapter = adapters.load(name)
    shown = {sample.said.get("kind") for sample in samples(name)}
    assert set(adapter.reads) | set(adapter.fetches) <= shown


@each_adapter
def test_every_kind_is_read_or_ignored_but_never_both(name: str) -> None:
    adapter = adapters.load(name)
    options = any_options(name)
    assert not adapter.ignores & set(adapter.reads)
    for kind in ("", "x" * 10_000, "\x00", "[", "*", "\ud800"):
        with pytest.raises(Ignored):
            adapter.read(empty(), kind, options)


def empty(body: bytes = b"{}") -> Delivery:
    return Delivery(body=body, headers={}, received_at=RECEIVED_AT, url=URL)


# -- Signature ----------------------------------------------------------------------------------------------------


def refused(scheme: Signature, delivery: Delivery, *secrets: str) -> str:
    """Why the delivery is not believed. It must not be."""
    with pytest.raises(Unverified) as why:
        scheme.verify(delivery, secrets, delivery.received_at)
    return why.value.reason


def schemes(sample: Sample) -> list[Signature]:
    """The source's schemes, one by one, and all of them as one."""
    whole = sample.scheme
    return [whole, *whole.schemes] if isinstance(whole, AnyOf) else [whole]


@each_adapter
def test_unsigned_only_where_everything_is_read_back(name: str) -> None:
    adapter = adapters.load(name)
    scheme = adapter.scheme(any_options(name))
    assert (scheme.strength is Strength.FETCHED) == isinstance(scheme, Unsigned)
    if isinstance(scheme, Unsigned):
        assert scheme.because.strip()
        assert adapter.api is not None and adapter.fetches and not adapter.reads


@each_sample
def test_a_signed_sample_is_believed(sample: Sample) -> None:
    secret, other = secret_for(sample.adapter), secret_for(sample.adapter, OTHER_DIGITS)
    signing = [scheme for scheme in schemes(sample) if scheme.can_sign and not isinstance(scheme, Unsigned)]
    assert signing or isinstance(sample.scheme, Unsigned)
    for scheme in signing:
        delivery = scheme.sign(sample.delivery, secret, sample.delivery.received_at)
        for secrets in ([secret], [secret, other], [other, secret], ["", secret]):
            assert scheme.verify(delivery, secrets, delivery.received_at) == secret
        assert refused(scheme, delivery, other) == Unverified.MISMATCH
        assert refused(scheme, delivery) == refused(scheme, delivery, "") == Unverified.NO_SECRET
        if scheme.strength is Strength.MAC:
            for body in (delivery.body + b" ", b" " + delivery.body, delivery.body[:-1], b""):
                if body != delivery.body:
                    assert refused(scheme, delivery.changed(body=body), secret) == Unverified.MISMATCH


@each_sample
def test_a_signature_that_is_wrong_in_any_way_is_refused(sample: Sample) -> None:
    secret = secret_for(sample.adapter)
    for scheme in schemes(sample):
        if isinstance(scheme, Unsigned):
            continue
        unsigned = sample.delivery
        signed = scheme.sign(unsigned, secret, unsigned.received_at)
        assert refused(scheme, unsigned, secret)
        added = {name: value for name, value in signed.headers.items() if unsigned.headers.get(name) != value}
        for name, right in added.items():
            refused(scheme, without(signed, name), secret)
            for value in (*JUNK, *nearly(right)):
                refused(scheme, signed.changed(headers={name: value}), secret)
            why = refused(scheme, repeated(signed, name), secret)
            assert why == Unverified.REPEATED or not scheme.can_sign
        asked = {name: value for name, value in signed.query.items() if unsigned.query.get(name) != value}
        for name, right in asked.items():
            for value in (*JUNK, *nearly(right)):
                refused(scheme, signed.changed(query={name: value}), secret)
        if not added and not asked and scheme.can_sign:
            for right in proofs(signed, unsigned, secret):
                for value in ("", "x", right[:-1], right + "x", right.upper()):
                    refused(scheme, signed.changed(body=signed.body.replace(right.encode(), value.encode())), secret)


def proofs(signed: Delivery, unsigned: Delivery, secret: str) -> list[str]:
    """What proves a delivery that is proven in its body: the secret itself, or else (Adyen) MACs in base64."""
    if secret.encode() in signed.body:
        assert secret.encode() not in unsigned.body
        return [secret]
    if signed.body.count(b".") == 2:  # a JSON Web Token: its last part
        return [signed.body.decode().rpartition(".")[2]]
    found = re.findall(r'"([A-Za-z0-9+/]{43}=)"', signed.body.decode())
    assert found and not any(mac.encode() in unsigned.body for mac in found)
    return found


@each_sample
def test_a_signature_over_its_time_grows_old(sample: Sample) -> None:
    """And one that is not, does not."""
    secret, now = secret_for(sample.adapter), sample.delivery.received_at
    for scheme in schemes(sample):
        if not scheme.can_sign:
            continue
        signed = scheme.sign(sample.delivery, secret, now)
        for away in (timedelta(days=365), timedelta(days=-365)):
            again = scheme.sign(sample.delivery, secret, now + away)
            if (again.headers, again.body) == (signed.headers, signed.body):
                scheme.verify(signed, [secret], now + away)
            elif scheme.strength is Strength.MAC:
                with pytest.raises(Unverified) as why:
                    scheme.verify(signed, [secret], now + away)
                assert why.value.reason == (Unverified.TOO_OLD if away > timedelta(0) else Unverified.TOO_NEW)


def nearly(right: str) -> tuple[str, ...]:
    """Values that are almost the right one."""
    longer = (right[:-1], right[1:], right[: len(right) // 2], right + "0", "0" + right, right + "\x00", right + "é")
    return tuple(value for value in (*longer, right.upper(), right.swapcase(), right[::-1]) if value != right)


def without(delivery: Delivery, header: str) -> Delivery:
    return Delivery(
        body=delivery.body,
        headers={name: value for name, value in delivery.headers.items() if name != header},
        query=delivery.query,
        received_at=delivery.received_at,
        url=delivery.url,
    )


def repeated(delivery: Delivery, header: str) -> Delivery:
    return Delivery(
        body=delivery.body,
        headers=delivery.headers,
        query=delivery.query,
        received_at=delivery.received_at,
        url=delivery.url,
        repeated=frozenset({header}),
    )


@each_adapter
def test_no_body_disturbs_the_signature(name: str) -> None:
    scheme = adapters.load(name).scheme(any_options(name))
    if not isinstance(scheme, Unsigned):
        for body in BODIES:
            refused(scheme, empty(body), secret_for(adapters.load(name)))


# -- Translation --------------------------------------------------------------------------------------------------


@each_sample
def test_translation_is_what_orders_json_says(sample: Sample, bless: bool) -> None:
    found = sample.source.translation(sample.delivery, sample.fetched)
    file = sample.folder / "orders.json"
    if bless:
        file.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    assert found == json.loads(file.read_text())
    if "handshake" not in found:
        assert sample.source.kind(sample.delivery) == sample.said["kind"]


@each_sample
def test_twice_is_the_same_and_the_signature_changes_nothing(sample: Sample) -> None:
    source, delivery = sample.source, sample.delivery
    once = source.translation(delivery, sample.fetched)
    assert source.translation(delivery, sample.fetched) == once
    assert source.translation(sample.delivery, sample.fetched) == once
    if "handshake" not in once:
        signed = sample.signed(secret_for(sample.adapter))
        assert source.translation(signed, sample.fetched) == once
        given = source.delivery_id(signed)
        assert given is None or (isinstance(given, str) and given)
        assert given == source.delivery_id(sample.signed(secret_for(sample.adapter, OTHER_DIGITS)))


@each_adapter
def test_a_declared_delivery_id_is_found(name: str) -> None:
    adapter = adapters.load(name)
    found = [sample.source.delivery_id(sample.signed(secret_for(adapter))) for sample in samples(name)]
    assert any(found) == any(adapter.places(sample.options)[1] is not None for sample in samples(name))


@each_sample
def test_people_of_samples_are_made_up(sample: Sample) -> None:
    text = sample.body + (sample.fetched or b"")
    for address in re.findall(rb"[\w.+-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+", text):
        made_up = re.search(rb"(@|%40|\.)example\.(com|org|net)(\.br)?$|\.(example|test|invalid)$", address)
        assert made_up or address in NOBODY, address


def strange(sample: Sample, body: bytes) -> Iterator[bytes]:
    """The body with one value changed, and with several; another share of the changes for each sample."""
    beside = samples(sample.adapter_name)
    yield from bodies_like(body, most=MOST_BODIES // len(beside), turn=beside.index(sample))
    yield from bodies_far_from(body, 20, f"{sample.adapter_name}/{sample.case}")


@each_sample
def test_any_value_may_be_missing_or_of_another_type(sample: Sample) -> None:
    source, scheme, secret = sample.source, sample.scheme, secret_for(sample.adapter)
    changed = list(strange(sample, sample.body))
    assert changed, "nothing of this body can be changed"
    for body in changed:
        delivery = sample.delivery.changed(body=body)
        try:
            source.translation(delivery, sample.fetched)
            source.delivery_id(delivery)
            scheme.verify(delivery, [secret], delivery.received_at)
        except Unverified:
            pass
        except Exception as fault:
            fault.add_note(f"with the body {body[:5000].decode()}")
            raise


@each_sample
def test_any_value_of_a_fetched_document_may_be_missing_or_of_another_type(sample: Sample) -> None:
    if sample.fetched is None:
        found = sample.source.translation(sample.delivery)
        by_itself = sample.adapter.fetch_adds or sample.said.get("kind") not in sample.adapter.fetches
        assert by_itself or "ignored" in found
        return
    source = sample.source
    for answer in chain(BODIES, strange(sample, sample.fetched)):
        try:
            source.translation(sample.delivery, answer)
        except Exception as fault:
            fault.add_note(f"with the answer {answer[:5000].decode('utf-8', 'replace')}")
            raise


@each_adapter
def test_any_body_at_all(name: str) -> None:
    """Of every kind, with the headers of a sample of that kind."""
    adapter = adapters.load(name)
    by_kind = {sample.said.get("kind"): sample for sample in samples(name)}
    for sample in by_kind.values():
        source = sample.source
        for body in BODIES:
            try:
                found = source.translation(sample.delivery.changed(body=body), sample.fetched)
            except Exception as fault:
                fault.add_note(f"{sample.case} with the body {body[:100]!r}")
                raise
            assert isinstance(found, dict) or not isinstance(adapter.kind, Constant)


@each_sample
def test_any_header_may_be_missing_or_strange(sample: Sample) -> None:
    source = sample.source
    for name in sample.delivery.headers:
        for delivery in chain(
            [without(sample.delivery, name)],
            (sample.delivery.changed(headers={name: value}) for value in JUNK),
        ):
            source.translation(delivery, sample.fetched)
            source.delivery_id(delivery)
    for name in sample.delivery.query:
        for value in JUNK:
            delivery = sample.delivery.changed(query={name: value})
            source.translation(delivery, sample.fetched)
            source.delivery_id(delivery)


LIVES = [name for name in adapters.names() if adapters.load(name).brings == "orders"]


@pytest.mark.parametrize("name", LIVES)
def test_what_is_told_of_a_sales_life_is_said_and_shown(name: str) -> None:
    """The five questions of the money model: each has an answer, shown by a sample or a story, or the manual's address."""
    told = adapters.life(name)
    assert set(told) == {"sale", *adapters.STAGES}
    assert told["sale"].strip()
    known = {*adapters.load(name).reads, *adapters.load(name).fetches}
    cases = {sample.folder.name for sample in samples(name)}
    for stage in adapters.STAGES:
        answer = told[stage]
        if "none" in answer:
            assert re.fullmatch(r"https://[^\s/]+\.[^\s]+", answer["none"]) or (ROOT / answer["none"]).is_file(), stage
            assert set(answer) <= {"none", "why"}, stage
            continue
        assert set(answer) == {"kinds", "field", "shown_by"}, stage
        assert answer["kinds"] and answer["field"].strip(), stage
        assert not known or set(answer["kinds"]) <= known, f"{stage}: kinds that are not read"
        shown = answer["shown_by"]
        assert shown in cases or (STORIES / shown / "scenario.json").is_file(), f"{stage}: nothing shows it: {shown}"
