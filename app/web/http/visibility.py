"""Owner privacy: decides, in one place, whose contacts and deals the caller may see."""

from app.base.roles import Role
from app.web.http.request import ApiRequest


async def wallet_of(asked: ApiRequest) -> str | None:
    """Return the member whose own contacts and deals are all the caller may see; None: no restriction."""
    if asked.caller.role is not Role.REP:
        return None
    return asked.caller.member_id if (await asked.account())["owner_privacy"] else None
