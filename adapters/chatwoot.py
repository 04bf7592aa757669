"""Chatwoot: contacts of the CRM, as they are made and changed. It brings no orders.

- Signing and webhooks: https://developers.chatwoot.com/api-reference/webhooks/add-a-webhook
- Payloads: https://www.chatwoot.com/hc/user-guide/articles/1677693021-how-to-use-webhooks

Decided here, and why:

- The contact's id is Chatwoot's own (`id`): that is what a dashboard app is told, and what `crm_contact_id` in a shop's
  metadata means.
- Custom attributes are free words of each account. A CPF or CNPJ is read where its check digits hold, under the keys that
  Chatwoot makes of "CPF", "CNPJ", "CPF/CNPJ", "CPF / CNPJ", "Documento" and "Document" (`convertToAttributeSlug` in its
  `dashboard/helper/commons.js`).
- Conversations and messages are not about contacts, and are ignored.
- Chatwoot sends nothing when a contact is deleted (`contact_deleted` is only asked for:
  https://github.com/chatwoot/chatwoot/issues/9552), nor which one a merge removed: its `ContactMergeAction` destroys the
  one, then updates the other with the attributes that it lacked (`contact_updated`). So the API is asked for each contact:
  404 means that it is gone (https://developers.chatwoot.com/api-reference/contacts/show-contact). The list of contacts
  leaves out those without e-mail, phone and identifier, and proves nothing.
- The search (https://developers.chatwoot.com/api-reference/contacts/search-contacts) compares parts of name, e-mail, phone
  and identifier, 15 contacts a page. A phone is looked for by its last eight digits, since Brazilian and Mexican mobiles
  are written with and without a digit; the one that is meant is recognised by us.
- The token travels in the header `api_access_token` (Chatwoot's OpenAPI document, `userApiKey`). A user's token reads
  contacts, an agent bot's does not (`AccessTokenAuthHelper`). 3000 requests a minute are allowed by default
  (https://developers.chatwoot.com/self-hosted/monitoring/rate-limiting).
"""

import re
from collections.abc import Iterable
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import Field, StringConstraints

from adapters.contract import (
    Adapter,
    Api,
    BodyField,
    Customer,
    Event,
    Header,
    Hmac,
    Links,
    ListOf,
    Options,
    Origin,
    Payload,
    distinct,
    path,
    time_dot_body,
    validated,
)
from adapters.contract.delivery import json_answer

ID = re.compile(r"[1-9][0-9]{0,17}")
# What Chatwoot calls a visitor who gave no name (ContactInboxWithContactBuilder: Haikunator.haikunate(1000)).
MADE_UP = re.compile(r"[a-z]+-[a-z]+-[0-9]{1,3}")
LAST_DIGITS = 8  # of a phone: what is the same in every way of writing it


class ChatwootOptions(Options):
    """Where the API is, by which contacts that were deleted or merged are found.

    `address`: of the installation, such as https://chat.example.com. `account`: the number of the account there, which is
    in the address of its pages (/app/accounts/3/…).
    """

    address: Annotated[
        str,
        StringConstraints(max_length=255, pattern=r"^https?://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$"),
    ] = "https://app.chatwoot.com"
    account: Annotated[int, Field(ge=1, le=10**15)] | None = None


class Contact(Payload):
    id: str
    name: str | None = None
    email: str | None = None
    phone_number: str | None = None
    cpf: str | None = path("custom_attributes.cpf")
    cnpj: str | None = path("custom_attributes.cnpj")
    document: str | None = path(
        *(f"custom_attributes.{key}" for key in ("document", "documento", "cpfcnpj", "cpf_cnpj"))
    )


class Found(Payload):
    payload: ListOf[Contact]


class Chatwoot(Adapter[Contact]):
    name, title, origin = "chatwoot", "Chatwoot", Origin.WEBHOOK
    links = Links(
        signing="https://developers.chatwoot.com/api-reference/webhooks/add-a-webhook",
        payload="https://www.chatwoot.com/hc/user-guide/articles/1677693021-how-to-use-webhooks",
    )
    topics = ("contact_created", "contact_updated")
    signature = Hmac(
        header="x-chatwoot-signature",
        encoding="hex",
        prefix="sha256=",
        message=time_dot_body("x-chatwoot-timestamp"),
        signed_words="the time, a dot, and the raw body",
        time_header="x-chatwoot-timestamp",
    )
    retry_policy = "waits 5 seconds; does not try again"
    kind = BodyField("event")
    delivery_id = Header("x-chatwoot-delivery")
    reads = dict.fromkeys(topics, Contact)
    ignores = frozenset("conversation_* message_* webwidget_triggered inbox_*".split())
    brings = "contacts"
    options = ChatwootOptions
    api = Api(
        origin=lambda options: options.address,
        authorize=lambda key, options: {"api_access_token": key},
        key_description="the access token of one of its users (Profile Settings → Access Token), by which contacts that "
        "were deleted or merged in Chatwoot are found; the options address and account say where",
        anywhere=True,
    )

    def people(self, payload: Contact, event: Event[Contact]) -> Iterable[Customer]:
        yield _customer(payload)

    def contact_path(self, crm_id: str, options: ChatwootOptions) -> str | None:
        if options.account is None or not ID.fullmatch(crm_id):
            return None
        return f"/api/v1/accounts/{options.account}/contacts/{crm_id}"

    def search_path(self, kind: str, value: str, options: ChatwootOptions) -> str:
        text = value[-LAST_DIGITS:] if kind == "phone" else value
        return f"/api/v1/accounts/{options.account}/contacts/search?q={quote(text, safe='')}"

    def contacts_found(self, answer: bytes) -> Iterable[Customer]:
        found: Any = validated(Found, json_answer(answer))
        return map(_customer, found.payload)


def _customer(contact: Contact) -> Customer:
    return Customer(
        name=None if MADE_UP.fullmatch(contact.name or "") else contact.name,
        crm_id=contact.id,
        emails=distinct([contact.email]),
        phones=distinct([contact.phone_number]),
        documents=distinct([contact.cpf, contact.cnpj, contact.document]),
    )
