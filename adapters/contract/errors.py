"""The ways one delivery can fail to become orders: one word each, used by outcome, log, metric and test alike."""


class Unverified(Exception):
    """The delivery is not proven to come from its source; nothing of it is believed.

    `reason` is one of the words below. It is counted and shown to the people who own the source; a stranger is told
    only `unverified`.
    """

    NO_SECRET = "no_secret"  # noqa: S105 - a reason word, not a credential
    MISSING = "signature_missing"
    REPEATED = "signature_repeated"
    MALFORMED = "signature_malformed"
    MISMATCH = "signature_mismatch"
    TOO_OLD = "timestamp_too_old"
    TOO_NEW = "timestamp_too_new"
    NO_DOCUMENT = "not_in_its_form"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unreadable(Exception):
    """Genuine, but it cannot be mapped to an order; the reason names the field and never repeats its value."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NoDocument(Unreadable):
    """The body is not in the adapter's form (JSON, or a form) at all, or too much to look: other faults are in what it says."""


class Ignored(Exception):
    """Genuine, and not about an order: a ping, a cart, a draft. The reason says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unfetched(Exception):
    """The order behind a thin delivery could not be read from the source's API.

    `retry_after` is the number of seconds the source asked us to wait, when it said so; `final` means that asking
    again cannot help (the key is refused, the order does not exist).
    """

    def __init__(self, reason: str, *, retry_after: float | None = None, final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
        self.final = final
