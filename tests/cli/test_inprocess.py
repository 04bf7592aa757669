"""The application in this process is asked as over a wire, without an HTTP client."""

import json
from contextlib import aclosing
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from app.cli.inprocess import InProcessClient
from app.cli.output import CommandFailed

pytestmark = pytest.mark.anyio


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with what it was asked, one byte at a time."""
    body = (await receive())["body"]
    told = json.dumps(
        {
            "path": scope["path"],
            "raw": scope["raw_path"].decode(),
            "query": scope["query_string"].decode(),
            "body": body.decode(),
            "headers": {name.decode(): value.decode() for name, value in scope["headers"]},
        }
    ).encode()
    await send({"type": "http.response.start", "status": 201, "headers": []})
    for at in range(len(told)):
        await send({"type": "http.response.body", "body": told[at : at + 1], "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def test_what_is_asked_arrives_as_it_would_over_a_wire() -> None:
    answer = await InProcessClient(echo).ask(
        "POST",
        "/v1/a%2Fb c?x=1#y",
        json={"ä": [None]},
        params={"q": "ü &", "yes": True, "n": 5},
        headers={"X-One": b"two"},
    )
    assert answer.status == 201 and answer.is_success
    said = answer.json()
    assert (said["path"], said["raw"]) == ("/v1/a/b c", "/v1/a%2Fb%20c")
    assert said["query"] == "x=1&q=%C3%BC+%26&yes=true&n=5"
    assert json.loads(said["body"]) == {"ä": [None]}
    length = str(len(said["body"].encode()))
    assert said["headers"] == {
        "host": "registry",
        "x-one": "two",
        "content-type": "application/json",
        "content-length": length,
    }


async def test_whoever_stops_reading_ends_the_answer() -> None:
    gone: list[bool] = []

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
        except OSError:
            gone.append((await receive())["type"] == "http.disconnect")

    async with InProcessClient(endless).asked("GET", "/") as (status, pieces):
        assert status == 200
        async with aclosing(pieces):  # type: ignore[type-var]  # it is a generator
            async for _ in pieces:
                break
    assert gone == [True]


@pytest.mark.parametrize(("fault", "meets"), [(ValueError("mine"), ValueError), (None, CommandFailed)])
async def test_an_application_that_gives_no_answer_is_not_waited_for(fault: Any, meets: type[Exception]) -> None:
    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        if fault:
            raise fault

    with pytest.raises(meets):
        await InProcessClient(silent).ask("GET", "/")
