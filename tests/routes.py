"""Every route of `/openapi.json`, with its path filled in."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from tests.house import House

ENDLESS = "/v1/deliveries/tail"  # a stream that goes on until its reader hangs up


async def every_route(house: House) -> list[tuple[str, str]]:
    """Every method and path of the document, the endless one left out."""
    document = (await house.client.get("/openapi.json")).json()
    return [(method.upper(), path) for path, told in document["paths"].items() if path != ENDLESS for method in told]


def filled(path: str, ids: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The path with each of these ids in the place of its names. KeyError: a name that the test has nothing for."""
    names = re.findall(r"{(\w+)}", path)
    for chosen in product(*(ids[name] for name in names)):
        yield path.format(**dict(zip(names, chosen, strict=True)))
