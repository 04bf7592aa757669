"""What an import reports on the terminal: the first rows as orders, wrong lines as they become known, the totals."""

from collections.abc import Mapping
from typing import Any

from app.cli.output import facts, on_this, plain, table, when

COUNTS = ("created", "updated", "unchanged", "refused")


class ImportCounts:
    """Reports what became of the lines as it becomes known; keeps only the counts."""

    def __init__(self, *, json: bool, dry_run: bool) -> None:
        self.counts = dict.fromkeys(COUNTS, 0)
        self.rows = 0
        self._json, self._dry_run = json, dry_run
        self._before = '{"errors": ['  # what comes before the next error
        self._notes = 0
        self._preview: list[Any] | None = None

    def add(self, answer: Mapping[str, Any], rows: int) -> None:
        """Report a part's answer."""
        import json

        for name in COUNTS:
            self.counts[name] += answer[name]
        self.rows += rows
        self._notes += len(answer["notes"])
        if self._preview is None:
            self._preview = answer["preview"]
        for one in answer["errors"]:
            if self._json:
                print(self._before, on_this(json.dumps(one, ensure_ascii=False)), sep="\n", end="")
                self._before = ","
            else:
                _say(one)
        if not self._json:
            for one in answer["notes"]:
                _say(one, "note: ")

    def end(self) -> None:
        """Report the totals."""
        import json

        if self._json:
            sums = {**self.counts, "notes": self._notes, "dry_run": self._dry_run, "preview": self._preview or []}
            print(f"{'' if self._before == ',' else self._before}], {json.dumps(sums)[1:]}")
        else:
            if self._preview:
                _show_preview(self._preview)
            facts({**self.counts, "written": "nothing: --dry-run" if self._dry_run else "all but the refused"})


def _show_preview(orders: list[Any]) -> None:
    rows = [
        (
            one["line"],
            one["external_id"],
            one["title"],
            one["status"],
            f"{one['value']} {one['currency']}" if one["value"] else None,
            when(one["ordered_at"]),
            one["contact_name"],
            [known["value"] for known in one["identities"]],
            [f"{item['quantity']} × {item['title']}" for item in one["items"]],
        )
        for one in orders
    ]
    names = (">line", "external id", "title", "status", ">value", "ordered", "contact", "known by", "items")
    table("the first rows, as orders", names, rows)
    print()


def _say(one: Mapping[str, Any], before: str = "") -> None:
    field = f"{one['field']}: " if one["field"] else ""
    print(plain(f"{before}line {one['line']}: {field}{one['message']}"))
