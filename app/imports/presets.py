"""Presets: how the platforms' own exports of orders are read.

Shopify: Orders → Export, https://help.shopify.com/en/manual/fulfillment/managing-orders/exporting-orders.

WooCommerce itself exports no orders. This is the plugin Customer / Order / Coupon Export in its formats "Default" and
"Default - One Row per Item" (https://woocommerce.com/document/ordercustomer-csv-export/). Headings and values are those of the
plugin's source (3.x: class-wc-customer-order-csv-export-generator.php, 5.x: CSV_Export_Format_Definition), of which copies are
public: the time is under `date`, no column tells when it was paid, and `customer_id` is 0 for every guest.

Nuvemshop: Vendas → Exportar lista. Its manual does not list the columns. They are those of real exports, on which public
programs agree: github.com/rafaeldusantos/umaestrelinha (.specs, measured: 60 columns, Latin-1, the words of a payment's status),
github.com/amosalb/fenix-project (CsvImportService.java). Of an order's rows only the first has its id, time and sums.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import adapters
from adapters.contract import Status
from app.base.tabular import CONTACTS, ORDERS, Columns

YEAR_FIRST, DAY_FIRST, MONTH_FIRST = "ymd", "dmy", "mdy"  # in which order a date's numbers stand


@dataclass(frozen=True, slots=True, kw_only=True)
class FileForm:
    """Says how a file writes things: headings, the decimal mark, dates, status words, and its encoding.

    Without `decimal` amounts are written as ours. `statuses` are a platform's words in small letters; None: they are ours.
    `guest` is the customer id of everybody who has none.
    """

    columns: Columns = ORDERS
    decimal: str | None = None
    dates: str = YEAR_FIRST
    statuses: Mapping[str, Status] | None = None
    guest: str | None = None
    encoding: str = "utf-8"
    ignores: bool = False  # columns that mean nothing to us

    def mapped(self, headings: Mapping[str, str]) -> "FileForm":
        """Return the form with these further headings. Raises ValueError for a column that there is not."""
        for name in headings.values():
            if name not in self.columns.names:
                raise ValueError(f"there is no column {name[:40]!r}; there are: {', '.join(self.columns.names)}")
        return replace(self, columns=self.columns.also(headings))


OURS = FileForm()
OUR_CONTACTS = FileForm(columns=CONTACTS)


def _words(name: str) -> Mapping[str, Status]:
    return {word.lower(): status for word, status in adapters.load(name).statuses.items() if status}


def preset(name: str) -> FileForm:
    """Return how a platform's own export is written. Raises KeyError."""
    return _PRESETS[name]()


_PRESETS = {
    "shopify": lambda: FileForm(
        columns=ORDERS.only(
            {
                "Id": "external_id",
                "Name": "title",
                "Email": "contact_email",
                "Phone": "contact_phone",
                "Billing Name": "contact_name",
                "Financial Status": "status",
                "Cancelled at": "canceled_at",
                "Created at": "ordered_at",
                "Paid at": "paid_at",
                "Currency": "currency",
                "Total": "value",
                "Refunded Amount": "refunded_value",
                "Lineitem name": "item_title",
                "Lineitem quantity": "item_quantity",
                "Lineitem price": "item_unit_value",
                "Lineitem sku": "item_sku",
            }
        ),
        statuses=_words("shopify"),
        ignores=True,
    ),
    "woocommerce": lambda: FileForm(
        columns=ORDERS.only(
            {
                "order_id": "external_id",
                "order_number": "title",
                "date": "ordered_at",
                "status": "status",
                "order_total": "value",
                "refunded_total": "refunded_value",
                "order_currency": "currency",
                "customer_id": "contact_customer_id",
                "billing_first_name": "contact_name",
                "billing_last_name": "contact_last_name",
                "billing_email": "contact_email",
                "billing_phone": "contact_phone",
                "item_name": "item_title",
                "item_quantity": "item_quantity",
                "item_price": "item_unit_value",
                "item_sku": "item_sku",
            }
        ),
        statuses=_words("woocommerce"),
        guest="0",
        ignores=True,
    ),
    "nuvemshop": lambda: FileForm(
        columns=ORDERS.only(
            {
                "Identificador do pedido": "external_id",
                "Número do Pedido": "title",
                "E-mail": "contact_email",
                "CPF / CNPJ": "contact_document",
                "Telefone": "contact_phone",
                "Nome do comprador": "contact_name",
                "Data": "ordered_at",
                "Data de pagamento": "paid_at",
                "Data e hora do cancelamento": "canceled_at",
                "Status do Pagamento": "status",
                "Moeda": "currency",
                "Total": "value",
                "Nome do Produto": "item_title",
                "Quantidade Comprada": "item_quantity",
                "Valor do Produto": "item_unit_value",
                "SKU": "item_sku",
            }
        ),
        dates=DAY_FIRST,
        statuses={"confirmado": Status.PAID, "pendente": Status.PENDING, "recusado": Status.FAILED},
        encoding="cp1252",
        ignores=True,
    ),
}
PRESETS = tuple(_PRESETS)
