"""The service's own log: structured, on standard error; never a body, an e-mail, a phone number or a secret."""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

MOST_CAUSES, MOST_FRAMES = 8, 20  # of one fault; of each cause, the innermost


class Log:
    """Writes log lines: `log.info("what happened", delivery_id=…)`.

    structlog is loaded with the first line: it costs 0.1 s of CPU, and most commands log nothing.
    """

    def __getattr__(self, level: str) -> Any:
        import structlog

        return getattr(structlog.get_logger(), level)


log = Log()


def without_words(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Reduce an exception to its types and places in the code. Its message is left out: it may quote a customer."""
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()[1]
    elif isinstance(given, tuple):
        given = given[1]
    lines: list[str] = []
    while isinstance(given, BaseException) and len(lines) < MOST_CAUSES:
        frames = traceback.extract_tb(given.__traceback__, limit=-MOST_FRAMES)
        places = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
        lines.append(" > ".join([*places, type(given).__qualname__]))
        given = given.__cause__ or (None if given.__suppress_context__ else given.__context__)
    if lines:
        event["exception"] = "\nfrom ".join(lines)
    return event


class _Libraries(logging.Handler):
    """Writes what libraries log as our own lines. Of their words only the first line of the template: no value."""

    def emit(self, record: logging.LogRecord) -> None:
        level = "error" if record.levelno >= logging.ERROR else "warning"
        words = str(record.msg).strip().partition("\n")[0][:200]
        getattr(log, level)(words, logger=record.name, exc_info=record.exc_info)


def set_up(*, as_json: bool, least: int = logging.INFO) -> None:
    """Send structlog (from level `least` on) and the standard library's log to standard error."""
    import structlog

    render = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            without_words,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_Libraries()], force=True)
