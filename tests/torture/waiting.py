"""Waiting without holding up the event loop: for what blocks, and until something is so."""

import asyncio
import functools
import http.client
import time
from collections.abc import Awaitable, Callable
from typing import Any


async def do(function: Callable[..., Any], *words: Any, **named: Any) -> Any:
    """Run what blocks beside the loop."""
    return await asyncio.to_thread(functools.partial(function, *words, **named))


async def until(what: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    """Ask again until it is so; False when it has not become so in these seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if await what():
                return True
        except (OSError, RuntimeError, http.client.HTTPException):
            pass
        await asyncio.sleep(0.2)
    return False
