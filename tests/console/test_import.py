"""Orders from a file: shown as orders first, then imported part by part, with what was refused and why."""

import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import Opened, Shop, Watch
from tests.console.test_amounts import speaking
from tests.console.test_log import settled
from tests.web.test_files import NUVEMSHOP

OURS = """Pedido;Valor;Quando;E-mail
IMP-1;R$ 1.500,00;20/11/2026 13:00;ana.souza@example.com
IMP-2;1,5;32/11/2026;bia@example.com
IMP-3;20,00;21/11/2026;carla.mendes@example.com
"""


def chosen(page: Page, label: str, name: str, text: str, encoding: str = "utf-8") -> None:
    page.get_by_label(label).set_input_files({"name": name, "mimeType": "text/csv", "buffer": text.encode(encoding)})


@pytest.mark.parametrize(
    ("language", "orders", "file", "amounts", "dates", "headings", "preview", "begin", "value", "done", "refused"),
    [
        (
            "en",
            "Import orders",
            "File",
            "Amounts",
            "Dates",
            "Headings",
            "Show the first rows",
            "Import",
            "R$1,500.00",
            "Done. 2 created",
            "1 row refused",
        ),
        (
            "pt-BR",
            "Importar pedidos",
            "Arquivo",
            "Valores",
            "Datas",
            "Cabeçalhos",
            "Mostrar as primeiras linhas",
            "Importar",
            "R$ 1.500,00",
            "Concluída. 2 criados",
            "1 linha recusada",
        ),
    ],
)
def test_a_file_is_shown_as_orders_and_then_imported(
    opened: Opened,
    shop: Shop,
    language: str,
    orders: str,
    file: str,
    amounts: str,
    dates: str,
    headings: str,
    preview: str,
    begin: str,
    value: str,
    done: str,
    refused: str,
) -> None:
    page = speaking(settled(opened("manager", "orders")), language)
    page.get_by_role("link", name=orders).click()
    chosen(page, file, "mine.csv", OURS.replace("IMP", f"IMP-{language}"))
    page.get_by_label(amounts).select_option(",")
    page.get_by_label(dates).select_option("dmy")
    columns = ("Pedido=external_id", "Valor=value", "Quando=ordered_at", "E-mail=contact_email")
    page.get_by_label(headings).fill("\n".join(columns))
    page.get_by_role("button", name=preview).click()
    first = page.locator("main tbody").first.locator("tr")
    expect(first).to_have_count(2)
    expect(first.first).to_contain_text(value)
    expect(first.first).to_contain_text("ana.souza@example.com")
    expect(page.locator(".notice.bad")).to_contain_text(refused)
    with shop.api() as api:
        asked = {"q": f"IMP-{language}-1"}
        assert api.get("/v1/orders", params=asked).json()["data"] == []
        page.get_by_role("button", name=begin, exact=True).click()
        expect(page.locator(".job")).to_contain_text(done)
        expect(page.locator("main tbody tr")).to_contain_text(["ordered_at"])
        (order,) = api.get("/v1/orders", params=asked).json()["data"]
    assert (order["value"], order["ordered_at"]) == ("1500.00", "2026-11-20T13:00:00Z")


def test_a_platforms_own_export_in_its_old_letters(opened: Opened, shop: Shop) -> None:
    page = settled(opened("admin", "orders/import"))
    chosen(page, "File", "vendas.csv", NUVEMSHOP.replace("Ana Souza", "Ana Sousa Assunção"), "cp1252")
    page.get_by_label("Written by").select_option("nuvemshop")
    page.get_by_role("button", name="Show the first rows").click()
    expect(page.locator(".notice.calm")).to_contain_text("windows-1252")
    rows = page.locator("main tbody").first.locator("tr")
    expect(rows.first).to_contain_text("Ana Sousa Assunção")
    expect(rows.first).to_contain_text("1 × Kit, 1 × Barba")


def test_what_is_no_file_is_said(opened: Opened, shop: Shop, watch: Watch) -> None:
    watch.expected.append("/v1/orders/import")
    page = settled(opened("admin", "orders/import"))
    chosen(page, "File", "mine.csv", "what;ever\n1;2\n")
    page.get_by_role("button", name="Show the first rows").click()
    expect(page.get_by_role("alert")).to_contain_text("column")
    chosen(page, "File", "empty.csv", "external_id,value\n")
    page.get_by_role("button", name="Show the first rows").click()
    expect(page.locator("[data-field=file] .wrong")).to_contain_text("no rows")
    page = settled(opened("ops", "orders/import"))
    expect(page.get_by_role("heading", name="This is not for your role")).to_be_visible()


def test_a_file_is_cut_between_rows(opened: Opened) -> None:
    """Line ends within quotes part nothing, and rows of one order stay together."""
    page = settled(opened("admin", "orders/import"))
    cut = """async ([text, csv, size]) => {
        const { parts } = await import("/console/assets/pages/import.js");
        return [...parts(text, csv, size)].map((one) => [one.text, one.line]);
    }"""
    header, rows = "a,b\n", ['1,"x\ny"\n', "2,z\n", "2,z\n", "3,w\n", '4,"q""\n"\n', "5,e"]
    found = page.evaluate(cut, [header + "".join(rows), True, 4])
    assert found == [
        [header + rows[0], 2],
        [header + rows[1] + rows[2], 4],
        [header + rows[3] + rows[4], 6],
        [header + rows[5], 9],
    ]
    assert "".join(text.removeprefix(header) for text, _ in found) == "".join(rows)
    assert page.evaluate(cut, ["sep=;\na;b\n1;2\n3;4\n", True, 1]) == [
        ["sep=;\na;b\n1;2\n", 3],
        ["sep=;\na;b\n3;4\n", 4],
    ]
    lines = ['{"a": "\\""}\n', '{"b": 1}\n']
    assert page.evaluate(cut, ["".join(lines), False, 1]) == [[lines[0], 1], [lines[1], 2]]
