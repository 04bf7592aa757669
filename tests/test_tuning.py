"""Times and sizes are passed in: no test patches a constant, and the page for operators names the defaults."""

import ast
import re
from pathlib import Path

import pytest

from app.base.tuning import Tuning

ROOT = Path(__file__).parents[1]
CONSTANT = re.compile(r"_*[A-Z][A-Z0-9_]*")


def patched(code: str) -> list[str]:
    """The calls that put something else in a constant's place, or in a place whose name is not written out."""
    found = []
    for call in ast.walk(ast.parse(code)):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "setattr":
            named = call.args[0] if isinstance(call.args[0], ast.Constant) else call.args[1]
            name = str(named.value).rpartition(".")[2] if isinstance(named, ast.Constant) else None
        elif isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "setitem":
            name = call.args[0].attr if isinstance(call.args[0], ast.Attribute) else ""
        else:
            continue
        if name is None or CONSTANT.fullmatch(name):
            found.append(ast.unparse(call))
    return found


def test_no_test_patches_a_constant() -> None:
    """What a test needs otherwise is a field of Tuning: `@pytest.mark.tuned(…)`, or `House(settings, tuning=…)`."""
    files = sorted((ROOT / "tests").rglob("*.py"))
    assert len(files) > 100
    assert {str(file): calls for file in files if (calls := patched(file.read_text()))} == {}


@pytest.mark.parametrize(
    "code",
    [
        "monkeypatch.setattr(fetch, 'EVERY', 0.02)",
        "quick.setattr(app.store.privacy, '_AT_ONCE', 2)",
        "monkeypatch.setattr('app.background.jobs.ASKED_AGAIN', 0.01)",
        "monkeypatch.setattr(readiness, name, seconds)",
        "monkeypatch.setitem(postgresql._SESSION, 'lock_timeout', '50')",
    ],
)
def test_a_patched_constant_is_found(code: str) -> None:
    assert patched(code) == [ast.unparse(ast.parse(code)).strip()]
    assert patched("monkeypatch.setattr(clock, 'now', lambda: 1); monkeypatch.setitem(sys.modules, 'x', None)") == []


def test_operators_are_told_the_defaults() -> None:
    is_, page = Tuning(), (ROOT / "docs" / "operations.md").read_text("utf-8")
    table = page.partition("\n## Limits\n")[2].partition("\n\nA delivery that is shed")[0]
    limits = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|", table, re.MULTILINE))
    first, most = is_.event_per_subscription
    told = {
        "deliveries that wait for their commit": f"as many as are committed within {is_.admission_wait} s, by the rate of "
        f"the last batches; one batch ({is_.commit_at_once}) at least, {is_.commit_waiting:,} at most",
        "a delivery's answer": f"{is_.commit_answer:g} s",
        "a request's head": f"{is_.head_within:g} s, {is_.head_most // 1024} KiB",
        "a request's body": f"{is_.body_within:g} s, and from {is_.body_rate[0]:g} s on at least {is_.body_rate[1]} bytes "
        "a second; a delivery `ORDERS_MAX_BODY_BYTES`",
        "an answer that whoever asked does not take": f"{is_.answer_taken_within:g} s without a byte taken",
        "jobs": f"one of an account runs at a time, {is_.job_waiting} may be there that have not ended; "
        f"{is_.job_at_once} run in a process",
        "events under way": f"{first} to {most} to one subscription, {is_.event_at_once} in all",
    }
    assert {what: limits.get(what) for what in told} == told
    assert limits["connections"].startswith(
        f"{is_.connection_most:,}; where the system gives fewer file handles, as many as it gives less "
        f"{is_.connection_other_files}, but half"
    )
    assert f"a few at a time, {is_.connection_ended * 10} a second" in page  # a sweep every tenth of a second
