"""Declares commands: their options, the API client they work with, and how their answer is shown."""

import inspect
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any

import typer

from app.cli.client import ApiClient
from app.cli.output import PROGRAM, CommandFailed, as_json, facts

Text = str | None
Json = Annotated[bool, typer.Option("--json", help="Print the API's answer as JSON.")]
Account = Annotated[
    str | None, typer.Option("--account", help="The account's id or name. Required when there are several accounts.")
]
Source = Annotated[
    str,
    typer.Argument(metavar="SOURCE", help="The source: its id (src_…), its name, or its adapter where that is one."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]


@dataclass(frozen=True, slots=True)
class Answer:
    """Holds what a command answers: a document for programs, and what is shown to people in its place.

    `failed` is why the command fails once that is printed; None: it does not.
    """

    document: Any
    shown: Any
    failed: str | None = None


def group(help_: str) -> typer.Typer:
    """Make a group of commands. `help_` is its description."""
    return typer.Typer(help=help_, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)


def command(
    group: typer.Typer,
    name: str,
    *examples: str,
    show: Callable[[Any], None] = facts,
    migrates: bool = True,
    help_: str | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., None]]:
    """Add a command to the group, with examples below its help.

    A parameter `client` of its function is the API client; without `migrates` it refuses an older schema. A parameter that
    is annotated with a dict, such as `filters.Deliveries`, stands for the options in it, and receives those that are set.

    What the function returns, an Answer or the API's document, is printed once the client is closed: by `show`, or as
    JSON with the option --json. The command has it unless the function is annotated to return nothing: that one prints
    by itself, and so does one that returns None.
    """

    def add(run: Callable[..., Any]) -> Callable[..., None]:
        signature = inspect.signature(run)
        answers = signature.return_annotation is not None
        parameters = [_keyword("context", typer.Context)]
        several: dict[str, dict[str, Any]] = {}
        for one in signature.parameters.values():
            if options := _options(one.annotation):
                several[one.name] = options
                parameters += [_keyword(option, kind, None) for option, kind in options.items()]
            elif one.name != "client":
                parameters.append(one.replace(kind=one.KEYWORD_ONLY))
        if answers:
            parameters.append(_keyword("json", Json, False))

        @wraps(run)
        def called(context: typer.Context, **given: Any) -> None:
            json = given.pop("json") if answers else False
            for parameter, options in several.items():
                given[parameter] = {name: value for name in options if (value := given.pop(name)) is not None}
            if "client" in signature.parameters:
                words = context.command_path.removeprefix(f"{PROGRAM} ")
                with closing(ApiClient(words, migrates=migrates)) as client:
                    answer = run(client, **given)
            else:
                answer = run(**given)
            if answer is None:
                return
            if not isinstance(answer, Answer):
                answer = Answer(answer, answer)
            as_json(answer.document) if json else show(answer.shown)
            if answer.failed is not None:
                raise CommandFailed(answer.failed)

        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads
        called.__annotations__ = {one.name: one.annotation for one in parameters}
        epilog = "\n\n".join(f"Example: {PROGRAM} {example}" for example in examples)
        group.command(name, epilog=epilog, help=help_)(called)
        return called

    return add


def _options(annotation: Any) -> dict[str, Any] | None:
    about = next(iter(getattr(annotation, "__metadata__", ())), None)
    return about if isinstance(about, dict) else None


def _keyword(name: str, kind: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
