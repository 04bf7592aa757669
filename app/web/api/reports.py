"""Reports: orders by month, status, currency, origin, source, deal or owner; contacts by RFM.

With owner privacy, a rep's report covers what the rep owns and nothing else.
"""

import re
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints
from typing_extensions import TypedDict

from adapters.contract import Money, Unreadable
from app.base.clock import iso, now, zone_named
from app.base.roles import Permission
from app.db.statements import Row
from app.store import order_reports
from app.web.api.contacts import average, sums
from app.web.http import serializers
from app.web.http.errors import invalid
from app.web.http.filters import Code, PurchaseFilters, ReportFilters, ZoneName, order_filter
from app.web.http.limits import REPORTS
from app.web.http.request import ApiRequest, Page, after, page_of
from app.web.http.routing import route
from app.web.http.schemas.orders import SumsResponse

DAY = 86_400_000_000
TIMES = (1, 2, 5, 10)  # the average order value, when the caller names no sums
Steps = Annotated[str, StringConstraints(max_length=200)]


class ReportQuery(Page, ReportFilters):
    """The filters of the list of orders, the grouping, and the time zone of months."""

    group_by: Literal["month", "status", "currency", "origin", "source", "deal", "owner"] = "month"
    zone: ZoneName | None = Field(None, description="where months begin; the account's own when none is named")


class BuyersQuery(Page, PurchaseFilters):
    """Which orders count, and four ascending limits for each score."""

    currency: Code | None = Field(None, description="one currency at a time; the account's own when none is named")
    recency: Steps = Field("30,90,180,365", description="days since the last purchase; fewer is better")
    frequency: Steps = Field("2,3,5,10", description="paid orders")
    money: Steps | None = Field(None, description="net sums; else 1, 2, 5 and 10 times the average order value")


class GroupResponse(TypedDict):
    """A group. `group` is null for orders that have none (no deal, owner or source); `label` is its name, if any."""

    group: str | None
    label: str | None
    currencies: list[SumsResponse]


class OrdersReport(TypedDict):
    """`zone` is the time zone of months."""

    group_by: str
    zone: str
    data: list[GroupResponse]
    next_cursor: str | None


class Score(TypedDict):
    """1 to 5, and why."""

    score: int
    because: str


class Scores(TypedDict):
    """The three scores."""

    recency: Score
    frequency: Score
    money: Score


class Buyer(TypedDict):
    """A contact that bought something: `frequency` is the number of paid orders, `money` what was paid less refunds."""

    contact_id: str
    crm_contact_id: str | None
    name: str | None
    currency: str
    last_bought_at: str
    recency_days: int
    frequency: int
    gross: str
    refunded: str
    money: str
    scores: Scores


class Rule(TypedDict):
    """How the scores were computed: the limits from 1 to 5, and what they refer to."""

    as_of: str
    currency: str
    average_order_value: str | None
    recency_days: list[int]
    frequency: list[int]
    money: list[str]
    words: str


class BuyersReport(TypedDict):
    """Contacts by id. `rule` is the same on every page."""

    rule: Rule
    data: list[Buyer]
    next_cursor: str | None


async def of_orders(asked: ApiRequest) -> dict[str, Any]:
    """Show totals per group and currency, computed from the orders."""
    query = asked.query(ReportQuery)
    place = query.last_id  # or a month, a status, …
    if place is not None and query.group_by == "month" and not re.fullmatch(r"(19|2[0-2])\d\d-(0[1-9]|1[0-2])", place):
        raise invalid("cursor", "is not one that this list gave")
    zone = query.zone or (await asked.account())["timezone"]
    groups = await order_reports.by(
        asked.store,
        asked.account_id,
        await order_filter(asked, query),
        query.group_by,
        zone=zone_named(zone),
        after=place,
        limit=query.limit + 1,
    )
    shown: list[GroupResponse] = [
        {"group": one.word or None, "label": one.label, "currencies": [sums(row) for row in one.sums]} for one in groups
    ]
    page = page_of(shown, query.limit, [one.word for one in groups])
    return {"group_by": query.group_by, "zone": zone, **page}


def _steps(name: str, text: str) -> list[int]:
    """Return four ascending whole numbers. Raises Problem."""
    if not re.fullmatch(r"\d{1,6}(,\d{1,6}){3}", text.replace(" ", "")):
        raise invalid(name, "must be four whole numbers such as 30,90,180,365")
    return _ascending(name, [int(one) for one in text.split(",")])


def _amounts(text: str, currency: str) -> list[int]:
    """Return four ascending amounts in minor units. Raises Problem."""
    if not re.fullmatch(r"\d{1,13}(\.\d{1,4})?(,\d{1,13}(\.\d{1,4})?){3}", text.replace(" ", "")):
        raise invalid("money", "must be four sums such as 100,250.50,500,1000")
    try:
        steps = [Money.major(Decimal(one), currency).minor for one in text.replace(" ", "").split(",")]
    except Unreadable as why:
        raise invalid("money", why.reason) from None
    return _ascending("money", steps)


def _ascending(name: str, steps: list[int]) -> list[int]:
    if sorted(set(steps)) != steps:
        raise invalid(name, "must ascend")
    return steps


async def of_contacts(asked: ApiRequest) -> dict[str, Any]:
    """Score everybody who bought by recency, frequency and money, with the reason for each score."""
    query = asked.query(BuyersQuery)
    currency = query.currency or (await asked.account())["default_currency"]
    filtered = replace(await order_filter(asked, query), currency=currency)
    # The first page's moment and average hold for all pages, so that one rule does.
    place = after(query.cursor, str, int, int, int)
    if place is None:
        gross, paid = await order_reports.average(asked.store, asked.account_id, filtered)
        place = ("", now(), gross, paid)
    last, as_of, gross, paid = place
    if not 0 <= as_of <= now() or gross < 0 or paid < 0:
        raise invalid("cursor", "is not one that this list gave")
    rule = _Rule(query, currency, as_of, gross, paid)
    rows = await order_reports.buyers(asked.store, asked.account_id, filtered, after=last, limit=query.limit + 1)
    keys = [(row["contact_id"], as_of, gross, paid) for row in rows]
    return {"rule": rule.as_response(), **page_of([rule.serialize(row) for row in rows], query.limit, keys)}


class _Rule:
    """Computes scores."""

    def __init__(self, query: BuyersQuery, currency: str, as_of: int, gross: int, paid: int) -> None:
        self._currency, self._as_of = currency, as_of
        self._average = average(gross, paid)
        self._recency, self._frequency = _steps("recency", query.recency), _steps("frequency", query.frequency)
        self._money = (
            _amounts(query.money, currency) if query.money else [times * (self._average or 0) for times in TIMES]
        )
        self._from = "the sums asked for" if query.money else "1, 2, 5 and 10 times the average order value"

    def as_response(self) -> dict[str, Any]:
        """Return the rule as a response."""
        return {
            "as_of": iso(self._as_of),
            "currency": self._currency,
            "average_order_value": serializers.money(self._average, self._currency),
            "recency_days": self._recency,
            "frequency": self._frequency,
            "money": [serializers.money(step, self._currency) for step in self._money],
            "words": (
                "recency: 5 when the last purchase is at most the first number of days ago, one less for each number that "
                "it is beyond; frequency and money: 1, and one more for each step that paid orders, or what was paid less "
                f"what went back, reach. The steps of money are {self._from}. Test orders do not count."
            ),
        }

    def serialize(self, row: Row) -> dict[str, Any]:
        """Return a contact with its scores, each with its reason."""
        days = max(0, (self._as_of - row["last_at"]) // DAY)
        net = row["gross"] - row["refunded"]
        return {
            "contact_id": row["contact_id"],
            "crm_contact_id": row["crm_id"],
            "name": row["name"],
            "currency": self._currency,
            "last_bought_at": iso(row["last_at"]),
            "recency_days": days,
            "frequency": row["paid_orders"],
            "gross": serializers.money(row["gross"], self._currency),
            "refunded": serializers.money(row["refunded"], self._currency),
            "money": serializers.money(net, self._currency),
            "scores": {
                "recency": self._recent(days),
                "frequency": self._reached(row["paid_orders"], self._frequency, str, "paid orders"),
                "money": self._reached(
                    net, self._money, lambda minor: str(serializers.money(minor, self._currency)), self._currency
                ),
            },
        }

    def _recent(self, days: int) -> dict[str, Any]:
        beyond = sum(days > step for step in self._recency)
        within = f"at most {self._recency[beyond]}" if beyond < len(self._recency) else f"more than {self._recency[-1]}"
        return {"score": 5 - beyond, "because": f"last bought {days} days ago: {within}"}

    def _reached(self, value: int, steps: list[int], text: Any, unit: str) -> dict[str, Any]:
        reached = sum(value >= step for step in steps)
        words = f"at least {text(steps[reached - 1])}" if reached else f"less than {text(steps[0])}"
        return {"score": 1 + reached, "because": f"{text(value)} {unit}: {words}"}


ROUTES = [
    route(
        "GET",
        "/v1/reports/orders",
        of_orders,
        Permission.READ,
        needs_registry=True,
        query=ReportQuery,
        gives=OrdersReport,
        limit=REPORTS,
    ),
    route(
        "GET",
        "/v1/reports/contacts",
        of_contacts,
        Permission.READ,
        needs_registry=True,
        query=BuyersQuery,
        gives=BuyersReport,
        limit=REPORTS,
    ),
]
