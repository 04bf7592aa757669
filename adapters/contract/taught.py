"""The words that a shop's own plugins and people add to a platform's statuses, taught to one source by its owner."""

from typing import Annotated, Any

from pydantic import StringConstraints, model_validator

from adapters.contract.options import Options
from adapters.contract.order import Status

_Word = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class TaughtOptions(Options):
    """`statuses`: the shop's own words, each with one of ours: {"shipped": "paid"}.

    From the command line they come one by one: `statuses.shipped=paid`. A word of the platform's own may be taught
    otherwise; a taught word counts first.
    """

    statuses: dict[_Word, Status] = {}

    @model_validator(mode="before")
    @classmethod
    def _gathered(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        single = {name: word for name, word in given.items() if str(name).startswith("statuses.")}
        if not single or "statuses" in given:
            return given
        rest = {name: word for name, word in given.items() if name not in single}
        return {**rest, "statuses": {name.removeprefix("statuses."): word for name, word in single.items()}}
