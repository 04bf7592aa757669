"""Identities in canonical form: the same person is found however it is written, and nobody else is."""

import re
import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import Customer, names_another
from app.base.identity import (
    KINDS,
    MOST_MENTIONED,
    MOST_OF_A_KIND,
    document,
    email,
    identities,
    identities_told,
    mentioned,
    phone,
    precedence,
)
from app.base.nobodys import is_relay
from tests.cpu import cpu, grows

DIGITS = "0123456789"
area = st.sampled_from(["11", "21", "31", "55", "61", "85", "99"])  # 55 is an area as well as the country
eight = st.text(DIGITS, min_size=7, max_size=7)


def written(area: str, local: str) -> list[str]:
    """A Brazilian number as people and shops write it."""
    head, tail = local[:-4], local[-4:]
    return [
        f"+55{area}{local}",
        f"55{area}{local}",
        f"+55 ({area}) {head}-{tail}",
        f"({area}) {head}-{tail}",
        f"{area}{local}",
        f"0{area} {head} {tail}",
        f"0055{area}{local}",
        f"+55 {area} {head}.{tail}",
    ]


@given(area, st.sampled_from("6789"), eight)
def test_a_mobile_is_the_same_with_and_without_its_ninth_digit(area: str, first: str, rest: str) -> None:
    wanted = f"+55{area}9{first}{rest}"
    for local in (f"9{first}{rest}", f"{first}{rest}"):
        for text in written(area, local):
            assert phone(text, "BR") == wanted, text


@given(area, st.sampled_from("2345"), eight)
def test_a_landline_is_left_alone(area: str, first: str, rest: str) -> None:
    for text in written(area, f"{first}{rest}"):
        assert phone(text, "BR") == f"+55{area}{first}{rest}", text


@given(area, st.sampled_from("6789"), eight, area, st.sampled_from("6789"), eight)
def test_two_mobiles_are_one_only_if_they_are(a: str, b: str, c: str, d: str, e: str, f: str) -> None:
    assert (phone(f"+55{a}9{b}{c}") == phone(f"+55{d}{e}{f}")) == ((a, b, c) == (d, e, f))


@given(
    st.text(max_size=40) | st.text(DIGITS + "+-() ./x", max_size=40), st.sampled_from(["BR", "US", "DE", "PT", "JP"])
)
def test_a_phone_is_e164_or_none_and_canonical_once_and_for_all(text: str, region: str) -> None:
    found = phone(text, region)
    if found is not None:
        assert re.fullmatch(r"\+[1-9][0-9]{4,16}", found)
        assert phone(found, region) == phone(found, "BR") == found


def test_where_a_number_is_without_a_country_code() -> None:
    assert phone("(415) 555-2671", "US") == phone("+1 415 555 2671", "BR") == "+14155552671"
    assert phone("030 901820", "DE") == "+4930901820"
    assert phone("+1 415 555 2671 ext. 5", "BR") == "+14155552671"
    assert phone("98765-4321", "BR") is None  # no area: it could be anybody's


def cpf(base: str) -> str:
    for size in (10, 11):
        rest = sum(int(digit) * (size - at) for at, digit in enumerate(base)) * 10 % 11
        base += str(rest % 10)
    return base


def cnpj(base: str) -> str:
    # Receita Federal, from July 2026 on: letters count as their ASCII code less 48, the weights stay.
    for weights in ((5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2), (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)):
        rest = sum((ord(char) - 48) * weight for char, weight in zip(base, weights, strict=True)) % 11
        base += str(0 if rest < 2 else 11 - rest)
    return base


several = st.text(DIGITS, min_size=9, max_size=9).filter(lambda base: len(set(base)) > 1)


@given(several, st.integers(0, 10), st.integers(1, 9))
def test_a_cpf_counts_with_its_check_digits_alone(base: str, at: int, by: int) -> None:
    whole = cpf(base)
    assert document(whole) == document(f" {whole[:3]}.{whole[3:6]}.{whole[6:9]}-{whole[9:]} ") == whole
    wrong = whole[:at] + str((int(whole[at]) + by) % 10) + whole[at + 1 :]
    if at >= 9:  # a wrong check digit; in the base, CPF's digits catch every single slip but a 0 for a 10
        assert document(wrong) is None
    else:
        assert document(wrong) in (None, wrong)


@given(st.text(DIGITS + string.ascii_uppercase, min_size=12, max_size=12).filter(lambda base: len(set(base)) > 1))
def test_a_cnpj_may_have_letters_since_2026(base: str) -> None:
    whole = cnpj(base)
    dotted = f"{whole[:2]}.{whole[2:5]}.{whole[5:8]}/{whole[8:12]}-{whole[12:]}"
    assert document(whole) == document(dotted) == document(dotted.lower()) == whole
    wrong = whole[:-1] + str((int(whole[-1]) + 1) % 10)
    assert document(wrong) is None


@pytest.mark.parametrize("digit", DIGITS)
def test_one_digit_all_along_is_nobodys_document(digit: str) -> None:
    assert document(digit * 11) is None and document(digit * 14) is None


@given(st.text(max_size=60))
def test_whatever_is_typed_for_a_document_is_one_or_none(text: str) -> None:
    found = document(text)
    assert found is None or re.fullmatch(r"[0-9]{11}|[0-9A-Z]{12}[0-9]{2}", found)
    assert found is None or document(found) == found


@given(st.emails())
def test_an_address_is_trimmed_and_folded_once_and_for_all(address: str) -> None:
    found = email(f"  {address.upper()}\n")
    assert found == email(address.swapcase()) or found is None or not address.isascii()
    assert found is None or email(found) == found


@given(st.text(max_size=300))
def test_whatever_is_typed_for_an_address_is_one_or_none(text: str) -> None:
    found = email(text)
    assert found is None or ("@" in found and not re.search(r"\s", found) and email(found) == found)


def test_a_shops_customer_id_counts_within_its_source() -> None:
    one, other = (identities(Customer(id="7"), source, "BR") for source in ("src_a", "src_b"))
    assert one == [("source", "src_a:7")] and other == [("source", "src_b:7")]
    assert identities(Customer(id="7"), None, "BR") == []


@given(
    st.lists(st.emails(), max_size=3),
    st.lists(st.text(DIGITS, max_size=13), max_size=3),
    st.lists(several.map(cpf), max_size=2),
)
def test_identities_stand_in_the_order_of_belief_each_once(
    mails: list[str], phones: list[str], papers: list[str]
) -> None:
    customer = Customer(
        crm_id="9", id="7", emails=(*mails, *mails), phones=(*phones, None), documents=(*papers, "junk", *papers)
    )
    found = identities(customer, "src", "BR")
    assert [KINDS.index(kind) for kind, _ in found] == sorted(KINDS.index(kind) for kind, _ in found)
    assert len(set(found)) == len(found)
    assert found[:2] == [("crm", "9"), ("source", "src:7")]


@given(st.text(max_size=200), area, eight, several.map(cpf))
def test_identities_are_found_in_a_text_and_whatever_it_is_does_no_harm(
    text: str, where: str, rest: str, paper: str
) -> None:
    mentioned(text)
    body = f'{{"email": "Ana.Souza@Example.com", "phone": "+55 ({where}) 8{rest[:3]}-{rest[3:]}", "cpf": "{paper}", "note": "x"}}'
    assert mentioned(body) == [
        ("email", "ana.souza@example.com"),
        ("phone", f"+55{where}98{rest}"),
        ("document", paper),
    ]


def test_a_long_text_is_looked_through_no_further_than_a_bound() -> None:
    def named(people: int) -> list[tuple[str, str]] | None:
        return mentioned(" ".join(f"a{number}@example.com" for number in range(people)))

    assert len(named(MOST_MENTIONED) or ()) == MOST_MENTIONED
    assert named(MOST_MENTIONED + 1) is None


@pytest.mark.parametrize(
    "worst",
    [
        lambda many: "%40" * many,
        lambda many: "a" * 64 + "@" + "b" * 3 * many,
        lambda many: ("a" * 64 + "@b ") * (many // 20),
        lambda many: "a@" + "b." * many,
        lambda many: "+1         " * (many // 3),
        lambda many: "12345678901 " * (many // 3),
        lambda many: "+12025550143 " * (many // 3),
        lambda many: "a.a@b" * (many // 2),
    ],
)
def test_a_text_four_times_as_long_is_looked_through_in_no_more_than_six_times_the_time(
    worst: Callable[[int], str],
) -> None:
    """A pattern that gives back what it took needed 64 times the work for one long word."""

    def looking(many: int) -> Callable[[], object]:
        text = worst(many)
        return lambda: mentioned(text)

    assert grows(looking, 100_000) <= 6
    assert cpu(looking(300_000)) < 1


def test_what_is_remembered_of_a_phone_or_a_document_is_short() -> None:
    assert phone("+55 11 98765-4321" + " " * 1_000_000) == "+5511987654321"
    assert document("529.982.247-25" + " " * 1_000_000) == "52998224725"
    for text in ("1" * 1_000_000, "x" * 1_000_000):
        assert phone(text) is None and document(text) is None


def test_of_a_customers_e_mails_phones_and_documents_a_few_count() -> None:
    customer = Customer(emails=(None, *(f"a{number}@example.com" for number in range(20_000))))
    assert len(identities(customer, None, "BR")) == MOST_OF_A_KIND


def test_a_phone_is_read_in_the_customers_own_country() -> None:
    customer = Customer(phones=("(415) 555-2671",), country="us")
    assert identities(customer, None, "BR") == [("phone", "+14155552671")]
    assert identities(Customer(phones=("11 98765-4321",), country="Brasil"), None, "BR") == [
        ("phone", "+5511987654321")
    ]


@pytest.mark.parametrize(
    "text",
    ["(11) 99999-9999", "1111111111", "99999999999", "+55 11 99999-9999", "12345678", "119****4321"],
)
def test_a_number_that_people_make_up_is_nobodys(text: str) -> None:
    assert phone(text) is None


@pytest.mark.parametrize(
    "text", ["noreply@shop.example", "nao-responda@loja.example", "do-not-reply@x.example", "a**@x.example"]
)
def test_an_address_that_machines_write_from_is_nobodys(text: str) -> None:
    assert email(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "naotem@naotem.example",
        "NaoTenhoEmail@x.example",
        "sem-email@x.example",
        "nao@possui.example",
        "a@a.example",
        "teste@teste.example",
        "no@no.example",
        "no@email.example",
        "na@na.example",
        "null@null.example",
        "guest@guest.example",
        "naoinformado@naoinformado.example",
        "semail@semail.example",
    ],
)
def test_an_address_that_says_that_there_is_none_is_nobodys(text: str) -> None:
    assert email(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "elenaotem@x.example",
        "a@b.example",
        "semyon@x.example",
        "email@shop.example",
        "no@shop.example",
        "guest@hotel.example",
    ],
)
def test_an_address_that_only_looks_like_none_is_somebodys(text: str) -> None:
    assert email(text) == text


def test_a_cpf_that_counts_up_is_nobodys() -> None:
    assert document("123.456.789-09") is None
    assert document("529.982.247-25") == "52998224725"


def test_a_cnpj_is_believed_after_a_phone() -> None:
    known = [("document", "11222333000181"), ("phone", "+5511987654321"), ("document", "52998224725"), ("crm", "42")]
    assert sorted(known, key=precedence) == [known[3], known[2], known[1], known[0]]


def test_names_have_a_word_in_common() -> None:
    assert not names_another("Ana Souza", "SOUZA, Aná")
    assert names_another("Ana Souza", "Rui Lima")


def test_mexican_and_argentine_mobiles_are_the_same_with_and_without_their_digit() -> None:
    assert {phone(text) for text in ("+52 1 55 1234 5670", "+52 55 1234 5670")} == {"+525512345670"}
    assert phone("55 1234 5670", "MX") == "+525512345670"
    assert {phone(text) for text in ("+54 9 11 2345-6780", "+54 11 2345-6780")} == {"+541123456780"}
    assert phone("011 15-2345-6780", "AR") == "+541123456780"


def test_what_people_type_who_have_no_phone_is_nobodys() -> None:
    for text in (
        "12345678901",
        "+55 12345678901",
        "(98) 76543-2109",
        "+55 98765 43210",
        "0123456789",
        "+5511999999999",
    ):
        assert phone(text) is None, text
    assert phone("(11) 98765-4321") == "+5511987654321"


def test_a_marketplaces_alias_is_told_from_an_address() -> None:
    assert is_relay("ff2e6348a53a4d44@ct.vtex.com.br") and is_relay("ana@example.com-2077b.ct.vtex.com.br")
    assert is_relay("x1@marketplace.amazon.com.br") and not is_relay("ana@amazon.com")
    assert (
        is_relay("x1@members.ebay.co.uk")
        and is_relay("a.b1+2-c3@mail.mercadolibre.com")
        and not is_relay("ana@ebay.de")
    )


def test_a_family_name_alone_is_no_common_name() -> None:
    assert names_another("Ana Prado", "Bruno Prado")
    assert not names_another("Ana Prado", "Ana Lima") and not names_another("Maria Ana Prado", "Ana Prado")
    assert not names_another("Ana Prado", "ana1990@example.com") and not names_another(
        "Ana Prado", "J."
    )  # which say nothing
    assert not names_another("Ana", "Ana Prado") and not names_another("A. Prado", "Ana Prado")


@pytest.mark.parametrize("text", ["14155552671", "0800 123 4567", "11 0333-4444", "10 98765-4322", "+55 14 15555-2671"])
def test_what_is_neither_mobile_nor_landline_is_no_brazilian_number(text: str) -> None:
    assert phone(text, "BR") is None


def test_a_source_tells_one_cpf_of_a_customer_and_ids_that_are_ones() -> None:
    customer = Customer(id="0", crm_id="undefined", documents=("529.982.247-25", "111.444.777-35", "11222333000181"))
    told = [("document", "52998224725"), ("document", "11222333000181")]
    assert identities_told(customer, "src_1", "BR") == (told, True)
    assert len(identities(customer, None, "BR")) == 3  # a member may know better
    assert identities_told(Customer(id="guest"), "src_1", "BR") == ([], False)
