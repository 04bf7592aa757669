"""The adapters: one module a source. The folder is the registry: a file (or a folder) here is an adapter, and there is no list."""

import pkgutil
import tomllib
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Any

from adapters.contract import Adapter


@cache
def names() -> tuple[str, ...]:
    """The names of all adapters, sorted. Imports none of them."""
    return tuple(
        sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in ("__main__", "contract"))
    )


@cache
def load(name: str) -> Adapter[Any]:
    """The adapter of that name, imported when it is first asked for. Raises KeyError when there is none."""
    if name not in names():
        raise KeyError(name)
    module = import_module(f"adapters.{name}")
    found = [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, Adapter) and thing.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise TypeError(f"adapters/{name} holds {len(found)} adapters; one module is one adapter")
    adapter: Adapter[Any] = found[0]()
    return adapter


@cache
def setup_steps(name: str) -> tuple[str, ...]:
    """Give the steps for the shop's owner, from `samples/<name>/setup.txt`: one a line, {webhook_url} for the address."""
    return tuple((files(__name__) / "samples" / name / "setup.txt").read_text(encoding="utf-8").splitlines())


# What of a sale's life a source tells: each a table in `samples/<name>/life.toml`.
STAGES = ("taken", "taken_in_part", "given_back", "given_back_in_part", "undone", "after_expiry")


@cache
def life(name: str) -> dict[str, Any]:
    """Give the answers of `samples/<name>/life.toml`: `sale` (the id that joins a sale), and a table for each of STAGES.

    A table has `kinds`, `field` and `shown_by` (a sample's case or a story), or `none`, the manual's address, and `why`.
    Raises FileNotFoundError where the source has none.
    """
    return tomllib.loads((files(__name__) / "samples" / name / "life.toml").read_text(encoding="utf-8"))
