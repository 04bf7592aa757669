"""Roles and permissions: the one table of who may do what. No role means no permission."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path


class Role(StrEnum):
    """Names the five roles a token can have."""

    ADMIN = "admin"
    MANAGER = "manager"
    REP = "rep"
    INTEGRATOR = "integrator"
    OPS = "ops"


class Permission(StrEnum):
    """Names what a route requires. The words appear in the error for a caller who lacks it."""

    ACCOUNT = "account, members, tokens"
    MANAGE = "create and edit orders, contacts, deals"
    READ = "read orders and contacts"
    SOURCES = "sources, secrets, keys, test"
    SUBSCRIPTIONS = "subscriptions"
    LOG = "delivery log, stats, retry"
    BODIES = "bodies of deliveries"
    PERSON = "erase, export a person"


GRANTS: dict[Role, frozenset[Permission]] = {
    Role.ADMIN: frozenset(Permission),
    Role.MANAGER: frozenset({Permission.MANAGE, Permission.READ, Permission.LOG}),
    Role.REP: frozenset({Permission.READ}),
    Role.INTEGRATOR: frozenset({Permission.SOURCES, Permission.SUBSCRIPTIONS, Permission.LOG, Permission.BODIES}),
    Role.OPS: frozenset({Permission.LOG}),
}


# What `scope["server"]` is called when it is not a socket but this very process.
IN_PROCESS = "in-process"
ACCOUNT_HEADER = "orders-account"  # which account is meant, by id or name

# Bytes that a Unix socket's address may have on every system (107 on Linux, 103 elsewhere).
_LONGEST = 103


@contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """Yield an address for the Unix socket at `path`. On Linux a long path is reached through its open folder.

    Raises OSError when the path is too long for the system.
    """
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        through = f"/proc/self/fd/{folder}"
        if not os.path.isdir(through):
            raise OSError(f"{path} is too long for a Unix socket; put the database into a folder with a shorter path")
        yield f"{through}/{path.name}"
    finally:
        os.close(folder)
