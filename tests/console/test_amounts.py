"""Amounts are read and written in the language that the console shows."""

import pytest
from playwright.sync_api import Page, expect

from tests.amounts import READ, REFUSED
from tests.console.conftest import Opened, Shop

LANGUAGES = {",": "pt-BR", ".": "en"}


def speaking(page: Page, language: str) -> Page:
    page.get_by_label("Language").or_(page.get_by_label("Idioma")).select_option(language)
    return page


@pytest.mark.parametrize("mark", LANGUAGES)
def test_amounts_are_read_as_the_language_writes_them_or_refused(opened: Opened, mark: str) -> None:
    page = speaking(opened("manager", "orders"), LANGUAGES[mark])
    read = """async (texts) => {
        const words = await import("/console/assets/words.js");
        return texts.map(([text, currency]) => {
            try { return words.readMoney(text, currency, "value"); } catch (error) { return error.constructor.name; }
        });
    }"""
    mine = [(text, currency, meant) for its, text, currency, meant in READ if its == mark]
    assert page.evaluate(read, [one[:2] for one in mine]) == [meant for *_, meant in mine]
    wrong = [(text, currency) for its, text, currency in REFUSED if its == mark]
    assert page.evaluate(read, wrong) == ["Wrong"] * len(wrong)


@pytest.mark.parametrize(
    ("language", "new", "title", "contact", "value", "refused", "typed", "shown", "make", "edit"),
    [
        ("pt-BR", "Novo pedido", "Título", "Contato", "Valor", "1.50", "R$ 1.500,00", "1.500,00", "Criar", "Editar"),
        ("en", "New order", "Title", "Contact", "Value", "1250,50", "R$1,500.00", "1,500.00", "Make the", "Edit"),
    ],
)
def test_an_order_is_written_in_the_language_that_is_shown(
    opened: Opened,
    shop: Shop,
    language: str,
    new: str,
    title: str,
    contact: str,
    value: str,
    refused: str,
    typed: str,
    shown: str,
    make: str,
    edit: str,
) -> None:
    page = speaking(opened("manager", "orders"), language)
    page.get_by_role("link", name=new).click()
    page.get_by_label(title).fill(f"In {language}")
    page.get_by_label(contact).fill("42")
    page.get_by_label(value, exact=False).first.fill(refused)
    page.get_by_role("button", name=make).click()
    expect(page.get_by_label(value).first).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("alert")).to_contain_text(shown)
    page.get_by_label(value).first.fill(typed)
    page.get_by_role("button", name=make).click()
    expect(page.locator(".side-facts")).to_contain_text(shown)
    page.get_by_role("link", name=edit).click()
    expect(page.get_by_label(value).first).to_have_value(shown)
    with shop.api() as api:
        (order,) = api.get("/v1/orders", params={"q": f"In {language}"}).json()["data"]
    assert order["value"] == "1500.00"


@pytest.mark.parametrize(
    ("language", "said", "shown"),
    [
        ("en", "30 Nov 2026, 23:30, by the clock of", "30 Nov 2026"),
        ("pt-BR", "30 de nov. de 2026, 23:30, no horário de", "30 de nov. de 2026"),
    ],
)
def test_times_are_the_accounts_whatever_the_browsers_zone(
    opened: Opened, shop: Shop, language: str, said: str, shown: str
) -> None:
    with shop.api() as api:
        api.patch("/v1/account", json={"timezone": "America/Sao_Paulo"})
        order = {"contact": "42", "title": f"Late {language}", "value": "10.00", "ordered_at": "2026-12-01T02:30:00Z"}
        made = api.post("/v1/orders", json=order).json()
    page = speaking(opened("manager", f"orders/{made['id']}", timezone_id="Asia/Tokyo"), language)
    expect(page.locator(".side-facts")).to_contain_text(shown)
    page.goto(f"{shop.address}/console/orders/{made['id']}/edit")
    field = page.locator("input[name=ordered_at]")
    expect(field).to_have_value("2026-11-30T23:30")
    expect(page.locator("[data-field=ordered_at]")).to_contain_text(said)
    field.fill("2026-11-30T22:00")
    page.locator("form.form button[type=submit]").click()
    expect(page.locator(".side-facts")).to_be_visible()
    with shop.api() as api:
        assert api.get(f"/v1/orders/{made['id']}").json()["ordered_at"] == "2026-12-01T01:00:00Z"
        api.patch("/v1/account", json={"timezone": "UTC"})
