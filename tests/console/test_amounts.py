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
