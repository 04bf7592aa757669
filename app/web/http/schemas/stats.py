"""Response schemas: counts of deliveries, alerts, health."""

from typing import Literal

from typing_extensions import TypedDict

from app.base.outcome import Outcome
from app.web.http.schemas.base import Time


class HourCount(TypedDict):
    """How many of a source's deliveries had this outcome in one hour."""

    hour: Time
    source_id: str
    outcome: Outcome
    count: int


class RefusedCount(TypedDict):
    """How often a source rejected deliveries for one reason, in the period."""

    outcome: Outcome
    reason: str
    count: int
    last_at: Time


class UnknownWord(TypedDict):
    """A status word that the source's adapter does not know."""

    word: str
    count: int
    last_at: Time


class SourceStats(TypedDict):
    """One source: its deliveries by outcome. `only_rejected_since` is set while it gets nothing but rejections."""

    source_id: str
    name: str
    adapter: str
    last_received_at: Time | None
    last_good_at: Time | None
    last_refused_at: Time | None
    by_outcome: dict[str, int]
    refused: list[RefusedCount]
    unknown_status: list[UnknownWord]
    only_rejected_since: Time | None


class Acknowledgement(TypedDict):
    """Time from arrival to disk, in milliseconds; null if there were no deliveries."""

    count: int
    p50_ms: float | None
    p99_ms: float | None


class WaitingResponse(TypedDict):
    """What is waiting: deliveries for a commit, orders to be fetched, deliveries on hold for their contact."""

    commit: int
    fetches: int
    oldest_fetch_at: Time | None
    held: int


class AlertSource(TypedDict):
    """A source that an alert is about."""

    id: str
    name: str


class AlertResponse(TypedDict):
    """Something that needs attention: how grave, since when, what, how many (null: not counted), and what to do.

    `reason` is the word of the latest rejection, where it is about that. Alerts of one code are folded into one when there are many: `count` says how many, and `sources` names their sources.
    """

    code: str
    severity: Literal["critical", "warning"]
    source_id: str | None
    source_name: str | None
    since: Time | None
    message: str
    advice: str
    count: int | None
    reason: str | None
    sources: list[AlertSource]


class StatsResponse(TypedDict):
    """Counts of a period, and current alerts, the worst first."""

    since: Time
    until: Time
    hours: list[HourCount]
    sources: list[SourceStats]
    acknowledgement: Acknowledgement
    waiting: WaitingResponse
    alerts: list[AlertResponse]


class HealthResponse(TypedDict):
    """The process answers."""

    status: str


class ReadyResponse(TypedDict):
    """A delivery would be committed now; so many wait for the next commit."""

    status: str
    waiting: int
