"""What a subscription can be told of."""

from enum import StrEnum


class Event(StrEnum):
    """The types of events; the words are those that receivers are told."""

    ORDER_CREATED = "order.created"
    ORDER_UPDATED = "order.updated"
    ORDER_STATUS_CHANGED = "order.status_changed"
    CONTACT_ERASED = "contact.erased"
