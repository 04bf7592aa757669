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
from typing import Annotated

from adapters.contract import (
    Adapter,
    Customer,
    Event,
    Field,
    Header,
    Hmac,
    IfObject,
    Links,
    Origin,
    Payload,
    time_dot_body,
)


class Attributes(Payload):
    cpf: str | None = None
    cnpj: str | None = None
    document: str | None = None


class Contact(Payload):
    id: str
    name: str | None = None
    email: str | None = None
    phone_number: str | None = None
    custom_attributes: Annotated[Attributes | None, IfObject] = None


class Chatwoot(Adapter[Contact]):
    name, title, origin = "chatwoot", "Chatwoot", Origin.WEBHOOK
    links = Links(
        signing="https://developers.chatwoot.com/api-reference/webhooks/add-a-webhook",
        payload="https://www.chatwoot.com/hc/user-guide/articles/1677693021-how-to-use-webhooks",
    )
    setup = (
        "In Chatwoot open Settings → Integrations → Webhooks → Configure, and choose Add new webhook.",
        "Give {webhook_url} as the URL, choose the events Contact created and Contact updated, and save.",
        "Copy the webhook's secret, and give it to this source as its secret. (Versions of Chatwoot that show no secret do "
        "not sign; their deliveries are refused.)",
        "Contacts are found by their phone, e-mail or document from then on; orders that waited for one are taken up.",
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
    patience = "waits 5 seconds; does not try again"
    kind = Field("event")
    delivery_id = Header("x-chatwoot-delivery")
    reads = {"contact_created": Contact, "contact_updated": Contact}
    ignores = frozenset({"conversation_*", "message_*", "webwidget_triggered", "inbox_*"})
    brings = "contacts"

    def people(self, payload: Contact, event: Event[Contact]) -> Iterable[Customer]:
        own = payload.custom_attributes or Attributes()
        yield Customer(
            name=payload.name or None,
            crm_id=payload.id,
            emails=(payload.email,) if payload.email else (),
            phones=(payload.phone_number,) if payload.phone_number else (),
            documents=tuple(each for each in (own.cpf, own.cnpj, own.document) if each),
        )
