"""The worst bodies that can be made of so many bytes, for whoever reads them before he knows who sent them."""

import json
from collections.abc import Callable, Iterator

Make = Callable[[int], bytes]


def _filled(before: bytes, piece: bytes, after: bytes) -> Make:
    return lambda size: before + piece * ((size - len(before) - len(after)) // len(piece)) + after


def _names(after: bytes) -> Make:
    return lambda size: b"{" + b",".join(b'"%d":0' % number for number in range(size // 9)) + after


BODIES: dict[str, Make] = {
    "a name twice, last": _names(b',"z":0,"z":0}'),
    "a name twice, first": _names(b',"0":0}'),
    "names": _names(b"}"),
    "deep": _filled(b"", b"[", b""),
    "deep objects": _filled(b"", b'{"a":', b""),
    "deep and closed": lambda size: b"[" * (size // 2) + b"]" * (size // 2),
    "950 deep": lambda size: b'{"token":' * 950 + b"0" + b"}" * 950 + b" " * max(0, size - 9500),
    "objects": _filled(b"[", b"{},", b"{}]"),
    "objects under a name": _filled(b'{"notificationItems":[', b'{"NotificationRequestItem":{}},', b"{}]}"),
    "numbers": _filled(b"[", b"1.5,", b"1]"),
    "digits": _filled(b"[", b"1", b"]"),
    "escapes": _filled(b'{"token":"', b"\\u005a", b'"}'),
    "escaped texts": _filled(b"[", b'"\\/",', b'"\\u003a"]'),
    "quotes": _filled(b"", b'"', b""),
    "backslashes": _filled(b'{"a":"', b"\\", b""),
    "blanks": _filled(b"", b" ", b"{}"),
    "dots": _filled(b"", b".", b""),
    "fields": lambda size: b"&".join(b"a[%d]=" % number for number in range(size // 10)),
    "a group": lambda size: b"&".join([*(b"a[%d]=" % (1000 + number) for number in range(999)), *[b"a[]="] * 999]),
    "percent": _filled(b"", b"%40", b""),
    "a long address": lambda size: b'{"email":"' + b"a" * 64 + b"@" + b"b" * size + b'"}',
    "addresses": _filled(b'{"email":"', b"a@a.a ", b'"}'),
    "phones": _filled(b'{"phone":"', b"+12025550143 ", b'"}'),
    "not UTF-8": _filled(b'{"a":"', b"\xff", b'"}'),
}


def within(sample: bytes, size: int) -> Iterator[tuple[str, bytes]]:
    """A sound body with something large in it, in every list and text of its first levels."""
    try:
        document = json.loads(sample)
    except ValueError:
        return
    for path, value in _places(document, 3):
        if isinstance(value, list):
            entry = json.dumps(value[0] if value else {})
            yield f"{path}: list", _with(document, path, f"[{','.join([entry] * (size // (len(entry) + 1)))}]")
            yield f"{path}: empty", _with(document, path, f"[{','.join(['{}'] * (size // 3))}]")
        elif isinstance(value, str):
            yield f"{path}: text", _with(document, path, json.dumps("9" * size))


def _places(
    value: object, depth: int, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], object]]:
    if isinstance(value, dict | list) and depth:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value[:1]):
            yield (*path, key), inner
            yield from _places(inner, depth - 1, (*path, key))


def _with(document: object, path: tuple[str | int, ...], text: str) -> bytes:
    mark = "a-place-that-is-filled"
    copy = json.loads(json.dumps(document))
    place = copy
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = mark
    return json.dumps(copy).replace(f'"{mark}"', text).encode()
