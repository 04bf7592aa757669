"""`orders-registry` with what a trial must change: the address of a source's API, or another PRAGMA synchronous."""

import os

from adapters.mercadopago import MercadoPago
from app.db import sqlite

if "TORTURE_API" in os.environ:  # what is thin is read from a server on this machine
    object.__setattr__(MercadoPago.api, "origin", os.environ["TORTURE_API"])
if "TORTURE_SYNCHRONOUS" in os.environ:  # proves that the trial of power cuts can fail
    changed = f"synchronous = {os.environ['TORTURE_SYNCHRONOUS']}"
    if "synchronous = FULL" not in sqlite.WRITER:
        raise SystemExit("the product's PRAGMA synchronous is not where this trial changes it")
    sqlite.WRITER = tuple(pragma.replace("synchronous = FULL", changed) for pragma in sqlite.WRITER)

from app.cli import main

if __name__ == "__main__":
    main()
