"""Files as people and platforms write them: nothing is lost without a word, and what was meant is said or asked for."""

from typing import Any

import pytest

from app.base.tabular import CSV, ORDERS, NoFile, parts
from tests.house import House
from tests.web.transfer import counts, post, send, send_text

pytestmark = pytest.mark.anyio

SHOPIFY = """Name,Email,Financial Status,Paid at,Currency,Total,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Billing Name,Phone,Cancelled at,Refunded Amount,Id,Source,Vendor
#1001,ana@example.com,paid,2026-11-20 10:00:05 -0300,BRL,398.00,2026-11-20 10:00:00 -0300,1,Shoes,199.00,RS-1,Ana Souza,'+5511987654321,,0.00,5000000001,web,Aurora
#1001,ana@example.com,,,,,,2,Socks,99.50,SO-1,,,,,,,Aurora
#1002,bia@example.com,pending,,BRL,10.00,2026-11-21 10:00:00 -0300,1,Cap,10.00,,Bia,,2026-11-22 10:00:00 -0300,0.00,5000000002,web,Aurora
#1003,eva@example.com,odd_word,,BRL,10.00,2026-11-21 10:00:00 -0300,1,Cap,10.00,,Eva,,,0.00,5000000003,web,Aurora
"""
NUVEMSHOP = """Número do Pedido;E-mail;Data;Status do Pedido;Status do Pagamento;Subtotal;Total;Nome do comprador;CPF / CNPJ;Telefone;Data de pagamento;Nome do Produto;Valor do Produto;Quantidade Comprada;SKU;Identificador do pedido
1001;ana@example.com;20/11/2026 10:30:00;Aberto;Confirmado;179.80;194.80;Ana Souza;52998224725;+5511988887777;20/11/2026;Kit;99.90;1;K-1;9001
1001;ana@example.com;;;;;;;;;;Barba;79.90;1;B-1;
1002;bia@example.com;21/11/2026 18:00:00;Aberto;Recusado;79.90;79.90;Bia;;;;Barba;79.90;1;B-1;9002
"""
WOOCOMMERCE = """order_id,order_number,order_number_formatted,date,status,shipping_total,order_total,refunded_total,order_currency,payment_method,customer_id,billing_first_name,billing_last_name,billing_email,billing_phone,line_items
77,77,77,"2026-11-20 10:00:00",processing,10.00,199.90,0.00,BRL,pix,5,Ana,Souza,ana@example.com,"(11) 98765-4321","id:1|name:Shoes|quantity:1|total:189.90"
78,78,78,"2026-11-20 10:00:00",cancelled,0.00,5.00,0.00,BRL,pix,0,Bia,Reis,bia@example.com,,
79,79,79,"2026-11-20 11:00:00",completed,0.00,50.00,20.00,BRL,pix,0,Eva,Lima,eva@example.com,,
"""
WOOCOMMERCE_ITEMS = """order_id,order_number,date,status,order_total,refunded_total,order_currency,customer_id,billing_first_name,billing_last_name,billing_email,item_id,item_name,item_sku,item_price,item_quantity,item_total
77,77,"2026-11-20 10:00:00",processing,199.90,0.00,BRL,5,Ana,Souza,ana@example.com,1,Shoes,RS-1,99.95,1,99.95
77,77,"2026-11-20 10:00:00",processing,199.90,0.00,BRL,5,Ana,Souza,ana@example.com,2,Cap,CA-1,49.97,2,99.95
"""


async def by_id(house: House) -> dict[str, Any]:
    return {one["external_id"]: one for one in await house.data("/v1/orders")}


def said(told: dict[str, Any]) -> list[str]:
    return [f"{one['line']} {one['field']} {one['message']}" for one in (*told["errors"], *told["notes"])]


@pytest.mark.parametrize("quoted", ['1,"Shoes,10\n2,"Hat",20\n', '1,"Shoes,10\n2,Hat,20\n', '1,"Shoes,10\n2,Hat",20\n'])
async def test_an_open_quote_is_said_with_the_lines_that_it_swallowed(house: House, quoted: str) -> None:
    told = await send_text(house, f"external_id,title,value\n0,Cap,5.00\n{quoted}")
    assert counts(told) == (1, 0, 0, 1)
    (fault,) = told["errors"]
    assert fault["line"] == 3 and "lines 3 to 4" in fault["message"] and "is a quote open?" in fault["message"]


async def test_lines_that_end_in_cr_alone_are_said(house: House) -> None:
    answer = await post(house, "external_id,title,value\r1,Cap,5.00\r")
    assert answer.status_code == 422 and "CR alone" in answer.json()["detail"]
    assert counts(await send_text(house, "external_id,title,value\r\n1,Cap,5.00\r\n")) == (1, 0, 0, 0)


async def test_ids_that_a_spreadsheet_shortened_are_refused(house: House) -> None:
    row = {"external_id": "1", "value": "1.00", "contact_email": "a@example.com"}
    for field, value in (
        ("external_id", "5.00E+09"),
        ("external_id", "5,00E+09"),
        ("crm_contact_id", "1E+10"),
        ("deal_id", "1.2E+11"),
    ):
        told = await send(house, [row | {field: value}])
        assert (counts(told), told["errors"][0]["field"]) == ((0, 0, 0, 1), field)
        assert "was shortened by a spreadsheet" in told["errors"][0]["message"]
    told = await send(house, [{"crm_id": "5.00E+09", "emails": "a@example.com"}], to="contacts")
    assert (counts(told), told["errors"][0]["field"]) == ((0, 0, 0, 1), "crm_id")


async def test_one_id_on_different_people_is_said(house: House) -> None:
    rows = [{"external_id": "1", "value": "1.00", "contact_email": f"{name}@example.com"} for name in "ab"]
    told = await send(house, rows)
    assert said(told)[0].startswith("2 external_id stands in line 1 as well, with somebody else's identities")
    other = await send(house, [rows[0] | {"contact_email": "c@example.com", "title": "x"}])
    assert any("the order was another contact's (cnt_" in one for one in said(other)), other
    people = [{"crm_id": "7", "emails": f"{name}@example.com"} for name in "xy"]
    told = await send(house, people, to="contacts")
    assert said(told)[0].startswith("2 crm_id stands in line 1 as well")
    again = [{"external_id": "2", "value": "1.00", "contact_email": "a@example.com"}] * 2
    assert said(await send(house, again)) == []


async def test_amounts_dates_and_headings_are_read_as_is_said(house: House) -> None:
    text = "Pedido;Valor;Quando;E-mail do cliente\n1;R$ 1.500,00;30/11/2026 23:30;ana@example.com\n2;1,5;1/2/2026;b@example.com\n"
    query = "?map=Pedido=external_id&map=Valor=value&map=Quando=ordered_at&map=E-mail+do+cliente=contact_email"
    read = f"{query}&decimal=,&dates=dmy&zone=America/Sao_Paulo"
    assert counts(await send_text(house, text, query=read)) == (2, 0, 0, 0)
    found = await by_id(house)
    assert (found["1"]["value"], found["1"]["ordered_at"]) == ("1500.00", "2026-12-01T02:30:00Z")
    assert (found["2"]["value"], found["2"]["ordered_at"]) == ("1.50", "2026-02-01T03:00:00Z")
    told = await send_text(house, text, query=query)
    assert counts(told) == (0, 0, 0, 2) and {one["field"] for one in told["errors"]} == {"value", "ordered_at"}
    told = await send_text(house, text, query=read.replace("dmy", "mdy"))
    assert [one.split(",")[0] for one in said(told)] == ["2 ordered_at is no date of the form mdy"]
    for wrong, field in (
        ("map=Valor=price", "map"),
        ("map=Valor", "map"),
        ("decimal=;", "decimal"),
        ("dates=dm", "dates"),
        ("zone=BRT", "zone"),
        ("preset=magento", "preset"),
    ):
        answer = await post(house, text, query=f"?{wrong}")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), wrong


async def test_shopifys_own_export(house: House) -> None:
    source = await house.source("shopify")
    told = await send_text(house, SHOPIFY, query=f"?preset=shopify&source_id={source}")
    assert counts(told) == (3, 0, 0, 0)
    assert said(told) == ["5 status 'odd_word' is not known; the order keeps its status"]
    found = await by_id(house)
    first = found["5000000001"]
    assert (first["title"], first["status"], first["value"], first["source_id"]) == ("#1001", "paid", "398.00", source)
    assert (first["ordered_at"], first["paid_at"]) == ("2026-11-20T13:00:00Z", "2026-11-20T13:00:05Z")
    assert [(one["title"], one["unit_value"]) for one in first["items"]] == [("Shoes", "199.00"), ("Socks", "99.50")]
    assert [str(one["quantity"]) for one in first["items"]] == ["1", "2"]
    assert found["5000000002"]["status"] == "canceled"
    assert (found["5000000003"]["status"], found["5000000003"]["source_status"]) == ("pending", "odd_word")
    contact = await house.get(f"/v1/contacts/{first['contact_id']}")
    assert {one["value"] for one in contact["identities"]} == {"ana@example.com", "+5511987654321"}
    assert counts(await send_text(house, SHOPIFY, query=f"?preset=shopify&source_id={source}")) == (0, 0, 3, 0)


async def test_nuvemshops_own_export(house: House) -> None:
    assert counts(await send_text(house, NUVEMSHOP, query="?preset=nuvemshop&zone=America/Sao_Paulo")) == (2, 0, 0, 0)
    found = await by_id(house)
    first = found["9001"]
    assert (first["title"], first["status"], first["value"], len(first["items"])) == ("1001", "paid", "194.80", 2)
    assert (first["ordered_at"], first["paid_at"]) == ("2026-11-20T13:30:00Z", "2026-11-20T03:00:00Z")
    assert (found["9002"]["status"], found["9002"]["source_status"]) == ("failed", "Recusado")
    older = (
        NUVEMSHOP.replace(";Identificador do pedido", "")
        .replace(";9001", "")
        .replace(";9002", "")
        .replace(";B-1;\n", ";B-1\n")
    )
    assert "external_id" in said(await send_text(house, older, query="?preset=nuvemshop"))[0]
    mapped = await send_text(house, older, query="?preset=nuvemshop&map=Número+do+Pedido=external_id")
    assert counts(mapped) == (2, 0, 0, 0)


async def test_woocommerces_own_export(house: House) -> None:
    source = await house.source("woocommerce")
    query = f"?preset=woocommerce&source_id={source}&zone=America/Sao_Paulo"
    assert counts(await send_text(house, WOOCOMMERCE, query=query)) == (3, 0, 0, 0)
    found = await by_id(house)
    assert (found["77"]["status"], found["77"]["value"], found["78"]["status"]) == ("paid", "199.90", "canceled")
    assert (found["77"]["ordered_at"], found["77"]["paid_at"]) == ("2026-11-20T13:00:00Z", None)
    assert (found["79"]["status"], found["79"]["refunded_value"]) == ("paid", "20.00")
    people = [await house.get(f"/v1/contacts/{found[one]['contact_id']}") for one in ("77", "78", "79")]
    assert [one["name"] for one in people] == ["Ana Souza", "Bia Reis", "Eva Lima"], "0 is every guest, and nobody's id"
    assert [sum(known["kind"] == "source" for known in one["identities"]) for one in people] == [1, 0, 0]
    lines = await send_text(house, WOOCOMMERCE_ITEMS, query=query)
    assert (counts(lines), said(lines)) == ((0, 1, 0, 0), [])
    items = (await by_id(house))["77"]["items"]
    assert [(one["title"], str(one["quantity"]), one["unit_value"]) for one in items] == [
        ("Shoes", "1", "99.95"),
        ("Cap", "2", "49.97"),
    ]


async def test_a_dry_run_shows_the_first_rows_as_orders(house: House) -> None:
    told = await send_text(house, SHOPIFY, query="?preset=shopify&dry_run=true")
    assert [one["external_id"] for one in told["preview"]] == ["5000000001", "5000000002", "5000000003"]
    first = told["preview"][0]
    assert (first["line"], first["value"], first["status"], first["contact_name"]) == (2, "398.00", "paid", "Ana Souza")
    assert [one["value"] for one in first["identities"]] == ["ana@example.com", "+5511987654321"]
    assert first["items"][1] == {"title": "Socks", "quantity": "2", "unit_value": "99.50", "sku": "SO-1"}
    assert await house.data("/v1/orders") == []
    assert (await send_text(house, SHOPIFY, query="?preset=shopify"))["preview"] == []


def test_rows_of_one_order_are_not_parted() -> None:
    rows = "".join(f"{number // 3},x,1.00\n" for number in range(30))
    cut = list(parts(CSV, f"external_id,item_title,item_unit_value\n{rows}".splitlines(keepends=True), ORDERS, rows=4))
    assert [one.rows for one in cut] == [6, 6, 6, 6, 6] and [one.line for one in cut] == [2, 8, 14, 20, 26]
    with pytest.raises(NoFile, match="CR alone"):
        list(parts(CSV, ["external_id,value\r1,2\r"], ORDERS))
