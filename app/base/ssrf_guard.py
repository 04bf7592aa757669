"""The SSRF guard: requests may go to public addresses by HTTPS, and to networks that the settings name.

An integrator's URL must not make this service call hosts inside its own network. The name is resolved when the
connection is made, and the address that was checked is the one that is used.
"""

import asyncio
import re
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

# In ASCII, without user and password and without a fragment. Of the host nothing is decided here but that there is one.
URL = r"^https?://([A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?([/?][!-\"$-~]*)?$"
URL_WORDS = "must be a URL in ASCII such as https://example.com/orders, without user, password and fragment"

_NAT64 = ip_network("64:ff9b::/96")


def networks(text: str) -> tuple[Network, ...]:
    """Parse a comma-separated list of networks (`10.0.0.0/8, ::1`). Raises ValueError."""
    return tuple(ip_network(one.strip()) for one in text.split(",") if one.strip())


def checked_url(url: str, named: Sequence[Network]) -> str:
    """Return the URL, or raise ValueError if it is already clear that nothing may be sent there."""
    if not re.fullmatch(URL, url):
        raise ValueError(URL_WORDS)
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError("has a port that does not exist")
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme != "https" and not named:
        raise ValueError("must begin with https://")
    try:
        address = ip_address(host)
    except ValueError:
        if not named and (host == "localhost" or host.endswith(".localhost")):
            raise ValueError(NOT_PUBLIC) from None
        return url
    if not allowed(address, named, plain=parts.scheme == "http"):
        raise ValueError(NOT_PUBLIC)
    return url


NOT_PUBLIC = (
    "leads to an address that is not public; ORDERS_PRIVATE_RECEIVERS names the networks that may be reached beside the "
    "internet, and those alone by http"
)


class NotPublic(Exception):
    """Raised for a host where nothing may be sent."""


async def addresses_of(host: str, port: int, named: Sequence[Network], *, plain: bool) -> list[str]:
    """Look a host up and return its addresses, if all of them may be reached. Raises NotPublic, socket.gaierror."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    if not all(allowed(ip_address(one), named, plain=plain) for one in addresses):
        raise NotPublic
    return addresses


def allowed(address: Address, named: Sequence[Network], *, plain: bool = False) -> bool:
    """Return whether requests may be sent to this address. `plain` means without TLS: only for the named networks."""
    meant = _meant(address)
    if any(meant in network for network in named if network.version == meant.version):
        return True
    return not plain and meant.is_global and not meant.is_multicast


def _meant(address: Address) -> Address:
    """Return the IPv4 address that some IPv6 addresses stand for, else the address itself."""
    if isinstance(address, IPv6Address):
        for inner in (address.ipv4_mapped, address.sixtofour, address.teredo and address.teredo[1]):
            if inner is not None:
                return inner
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
