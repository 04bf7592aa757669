"""What a delivery's signature proves follows from its scheme and from where kind and id stand."""

import pytest

import adapters

PROVES = {
    "shopify": "body",
    "woocommerce": "body",
    "saleor": "body",
    "razorpay": "body, kind",
    "chatwoot": "body, kind, time",
    "square": "body, kind, id",
    "stripe": "body, kind, time, id",
    "standard": "body, kind, time, id",
    "wix": "body, kind, time, id",
    "ecwid": "id",
    "xendit": "the sender alone",
    "adyen": "the sender alone",
}


@pytest.mark.parametrize("name", PROVES)
def test_what_each_scheme_proves(name: str) -> None:
    adapter = adapters.load(name)
    assert str(adapter.proof(adapter.options.model_construct())) == PROVES[name]


@pytest.mark.parametrize(
    ("signed", "kind", "proves"),
    [
        ("{body}", "header:x-topic", "body"),
        ("{header:X-Topic}.{body}", "header:x-topic", "body, kind"),
        ("{body}", "field:type", "body, kind"),
        ("{header:x-topic}", "header:x-topic", "kind"),
    ],
)
def test_of_any_signed_webhook_the_options_say_it(signed: str, kind: str, proves: str) -> None:
    generic = adapters.load("generic")
    options = generic.options.model_validate(
        {
            "signature": {
                "scheme": "hmac",
                "header": "x-sign",
                "algorithm": "sha256",
                "encoding": "hex",
                "signed": signed,
            },
            "kind": kind,
            "fields": {"external_id": "id"},
            "statuses": {"a": "paid"},
        }
    )
    assert str(generic.proof(options)) == proves
