"""Who may do what: the one table of roles. No role means refused."""

from enum import StrEnum


class Role(StrEnum):
    """The five roles a token can carry."""

    ADMIN = "admin"
    MANAGER = "manager"
    REP = "rep"
    INTEGRATOR = "integrator"
    OPS = "ops"


class Permission(StrEnum):
    """What a route asks for; the words stand in the error of who lacks one."""

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
