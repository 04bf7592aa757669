"""How a delivery of any signed webhook is proven, as its options say."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import AfterValidator, StringConstraints, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from adapters.contract import (
    Delivery,
    Hmac,
    OptionGroup,
    Signature,
    StandardWebhooks,
    Token,
    Unverified,
    body_token,
    hex_key,
    text_key,
    whsec_key,
)


def refuse(*faults: tuple[str, str]) -> None:
    """Raises one ValidationError that names every one of these options."""
    found = [
        InitErrorDetails(
            type=PydanticCustomError("value_error", "{words}", {"words": words}), loc=(*name.split("."),), input=None
        )
        for name, words in faults
    ]
    if found:
        raise ValidationError.from_exception_data("options", found)


PART = re.compile(r"\{(body|timestamp|url|header:[^{}]+|query:[^{}]+)\}")


def _template(text: str) -> str:
    if re.search(r"[{}]", PART.sub("", text)) or not PART.search(text):
        raise ValueError("is made of {body}, {timestamp}, {url}, {header:NAME}, {query:NAME} and what stands between")
    return text


Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$", to_lower=True)]

# What each scheme may say, beside its name.
SAYS = {
    "hmac": {
        *("header", "query", "algorithm", "encoding", "prefix", "key", "signed"),
        *("timestamp", "timestamp_unit", "tolerance"),
    },
    "token": {"header", "query", "field", "prefix"},
    "basic": set[str](),
    "standard": {"key", "tolerance"},
}


KEYS = {"text": text_key, "hex": hex_key, "base64": whsec_key}


class Signing(OptionGroup):
    """How a delivery is proven."""

    scheme: Literal["hmac", "token", "basic", "standard"]
    header: HeaderName | None = None
    query: Name | None = None
    field: Name | None = None
    algorithm: Literal["sha1", "sha256", "sha512"] | None = None
    encoding: Literal["hex", "base64"] | None = None
    prefix: Annotated[str, StringConstraints(max_length=50)] = ""
    key: Literal["text", "hex", "base64"] | None = None
    signed: Annotated[str, StringConstraints(max_length=500), AfterValidator(_template)] = "{body}"
    timestamp: HeaderName | None = None
    timestamp_unit: Literal["seconds", "milliseconds"] = "seconds"
    tolerance: Annotated[int, Ge(1), Le(86_400)] = 300

    @model_validator(mode="after")
    def _coherent(self) -> "Signing":
        says = SAYS[self.scheme]
        faults = [
            (name, f"means nothing to the scheme {self.scheme}")
            for name in sorted(self.model_fields_set - says - {"scheme"})
        ]
        if self.scheme == "hmac":
            faults += [(name, "is needed") for name in ("algorithm", "encoding") if getattr(self, name) is None]
            if "{timestamp}" in self.signed and self.timestamp is None:
                faults.append(("timestamp", "is needed: name the header that {timestamp} stands for"))
            if self.timestamp and "{timestamp}" not in self.signed:
                faults.append(("signed", "leaves out {timestamp}: a time that is not signed can be changed"))
        places = [name for name in ("header", "query", "field") if name in says]
        if places and sum(getattr(self, name) is not None for name in places) != 1:
            faults.append(("header", f"is needed, or one of the others: exactly one of {', '.join(places)}"))
        if self.prefix and self.header is None:
            faults.append(("prefix", "stands only in a header"))
        refuse(*faults)
        return self


@lru_cache(maxsize=1024)
def scheme_of(signing: Signing, body: Literal["json", "form"]) -> Signature:
    match signing.scheme:
        case "token":
            if signing.field:
                return body_token(signing.field, body)
            return Token(header=signing.header, query=signing.query, prefix=signing.prefix)
        case "basic":
            return Token(header="authorization", basic=True)
        case "standard":
            return StandardWebhooks(key=KEYS[signing.key or "base64"], tolerance=signing.tolerance)
    if signing.algorithm is None or signing.encoding is None:
        raise Unverified(Unverified.NO_SECRET)
    return Hmac(
        header=signing.header or (),
        query=signing.query,
        algorithm=signing.algorithm,
        encoding=signing.encoding,
        prefix=signing.prefix,
        key=KEYS[signing.key or "text"],
        message=_message(signing),
        proves_body="{body}" in signing.signed,
        signed_words=f"`{signing.signed}`",
        time_header=signing.timestamp,
        time_unit=1000 if signing.timestamp_unit == "milliseconds" else 1,
        tolerance=signing.tolerance,
        also=frozenset(part.lower() if part.startswith("header:") else part for part in PART.findall(signing.signed)),
    )


def _message(signing: Signing) -> Callable[[Delivery], bytes]:
    """What is signed, put together as the template says; what the delivery lacks is empty."""
    parts = re.split(r"\{([^{}]+)\}", signing.signed)

    def message(delivery: Delivery) -> bytes:
        made = b""
        for at, part in enumerate(parts):
            source, _, name = part.partition(":")
            if at % 2 == 0:
                made += part.encode()
            elif part == "body":
                made += delivery.body
            elif part == "url":
                made += delivery.url.encode()
            elif source == "query":
                made += delivery.query.get(name, "").encode("utf-8", "surrogateescape")
            else:
                header = (signing.timestamp or "") if part == "timestamp" else name.lower()
                made += delivery.headers.get(header, "").encode("latin-1", "replace")
        return made

    return message
