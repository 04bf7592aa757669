"""Chatwoot: contacts of the CRM, as they are made and changed. It brings no orders.

- Signing and webhooks: https://developers.chatwoot.com/api-reference/webhooks/add-a-webhook
- Payloads: https://www.chatwoot.com/hc/user-guide/articles/1677693021-how-to-use-webhooks

Decided here, and why:

- The contact's id is Chatwoot's own (`id`): that is what a dashboard app is told, and what `crm_contact_id` in a shop's
  metadata means.
- Custom attributes are free words of each account. `cpf`, `cnpj` and `document` are read, when their check digits hold.
- Conversations and messages are not about contacts, and are ignored.
"""

from collections.abc import Iterable

from adapters.contract import (
    Adapter,
    BodyField,
    Customer,
    Event,
    Header,
    Hmac,
    Links,
    Origin,
    Payload,
    distinct,
    path,
    time_dot_body,
)


class Contact(Payload):
    id: str
    name: str | None = None
    email: str | None = None
    phone_number: str | None = None
    cpf: str | None = path("custom_attributes.cpf")
    cnpj: str | None = path("custom_attributes.cnpj")
    document: str | None = path("custom_attributes.document")


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

    def people(self, payload: Contact, event: Event[Contact]) -> Iterable[Customer]:
        yield Customer(
            name=payload.name,
            crm_id=payload.id,
            emails=distinct([payload.email]),
            phones=distinct([payload.phone_number]),
            documents=distinct([payload.cpf, payload.cnpj, payload.document]),
        )
