"""python -m tests.fuzz.guided SECONDS [TARGETS]: coverage-guided, with atheris; each target in a process of its own.

Whatever is found is written to the folder `found`, from where the tests repeat it, and the target's time is over.
"""

import base64
import hashlib
import io
import os
import random
import re
import sys
import tempfile
import time
import traceback
from contextlib import redirect_stderr, suppress
from pathlib import Path
from typing import Any

import atheris

LONGEST = 8192  # bytes of an input
SLOWEST = 120  # seconds by the clock, after which an input that has no end is one

with (
    redirect_stderr(io.StringIO()),
    atheris.instrument_imports(include=["adapters", "app", "jmespath"]),
):  # it lists each
    import adapters

    for _name in adapters.names():
        adapters.load(_name)
    from tests.fuzz.inside import hostile
    from tests.fuzz.targets import FOUND, TARGETS, check


def fuzz(seconds: float, beginning: str = "") -> int:
    """Fuzz the targets whose names begin so, each for its part of the seconds. Returns in how many something was found."""
    names = [name for name in TARGETS if name.startswith(beginning)]
    print(f"coverage-guided: {len(names)} targets, about {seconds / len(names):.0f} s each", flush=True)
    found, until = 0, time.monotonic() + seconds
    for number, name in enumerate(names):
        left = until - time.monotonic()  # to start a process takes some of it
        found += _run(name, max(1, int(left / (len(names) - number))))
    return found


def _run(name: str, seconds: int) -> bool:
    """Fuzz one target; print what was found, or how many inputs were run."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        child = os.fork()
        if not child:
            _child(name, seconds, folder)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said = (folder / "log").read_text(errors="replace")
        runs = re.search(r"stat::number_of_executed_units: (\d+)", said)
        print(f"  {name}: {runs[1] if runs else 'unknown'} executions", flush=True)
        if not ended:
            return False
        print(f"{name}: ended with {ended}\n{said[-4000:]}")
        for file in folder.glob("*-*"):
            data = file.read_bytes()
            kept = FOUND / f"{name.replace(' ', '-')}-{hashlib.sha256(data).hexdigest()[:8]}"
            FOUND.mkdir(exist_ok=True)
            kept.write_bytes(data)
            print(
                f"  in base64: {base64.b64encode(data).decode()}\n  again: python -m tests.fuzz --again {kept}",
                flush=True,
            )
        return True


def _changed(data: bytes, most: int, seed: int) -> bytes:
    """Another input: every other time as the structure-aware half makes it, so that the body is still one."""
    dice = random.Random(seed)
    at = data.find(b"\n\n") + 2 if b"\n\n" in data else 1
    if dice.random() < 0.5:
        with suppress(ValueError, LookupError):
            if len(made := data[:at] + hostile(data[at:], dice, (2, 20, 200))) <= most:
                return made
    return bytes(atheris.Mutate(data, most))


def _child(name: str, seconds: int, folder: Path) -> None:
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(TARGETS[name].seeds()):
        (corpus / str(number)).write_bytes(seed)
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    told = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-timeout={SLOWEST}", f"-artifact_prefix={folder}/"]
    known: dict[str, Any] = {"custom_mutator": _changed} if name.startswith(("read", "fetched")) else {}
    runs = 0

    def one(data: bytes) -> None:
        nonlocal runs
        runs += 1
        try:
            check(name, data)
        except BaseException:
            (folder / "crash-1").write_bytes(data)
            traceback.print_exc()
            print(f"stat::number_of_executed_units: {runs}", file=sys.stderr, flush=True)
            os._exit(1)

    atheris.Setup([sys.argv[0], str(corpus), *told, "-print_final_stats=1"], one, **known)
    try:
        atheris.Fuzz()  # ends the process
    finally:
        os._exit(1)


if __name__ == "__main__":
    raise SystemExit(1 if fuzz(float(sys.argv[1]), *sys.argv[2:]) else 0)
