"""Delivery events that providers report for messages they accepted."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from models.enums import Channel, ErrorCode, ReportStatus, SuppressionReason
from models.errors import InvalidPhoneNumber
from models.rules.consent.contact_keys import ContactKeys
from models.rules.consent.contacts import e164


class Mismatch(StrEnum):
    """Why a correctly signed report is rejected: it does not match its attempt."""

    ATTEMPT = "ATTEMPT"
    """The attempt does not exist."""
    ACCOUNT = "ACCOUNT"
    """The attempt was made with another account."""
    CHANNEL = "CHANNEL"
    RECIPIENT = "RECIPIENT"
    """The message has no such recipient, or has several and the report names none."""
    MESSAGE_ID = "MESSAGE_ID"
    """The provider's message id belongs to another attempt, or the attempt has another id."""
    EVENT = "EVENT"
    """The event was already reported for another attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryEvent:
    """One event reported by a provider.

    `event_id` is the provider's own and unique per event: an event that is reported twice is stored
    once.
    """

    event_id: str
    provider_message_id: str
    """The provider's id of the message; the only source of it if the answer was lost."""
    status: ReportStatus
    reported_at: datetime
    phase: str = ""
    """The provider's own name of the event, shown in the event trail."""
    channel: Channel | None = None
    """None if the provider does not state it."""
    recipient: str | None = field(default=None, repr=False)
    """The recipient of an e-mail that the event is about."""
    duration_seconds: int | None = None
    """Duration of an answered call."""
    suppresses: SuppressionReason | None = None
    """Why the recipient must be suppressed, if the event says so."""
    error_code: ErrorCode | None = None
    provider_code: str | None = None
    price: Decimal | None = None
    """Price of the whole message in USD, never negative, without carrier fees."""
    price_settled: bool = False
    """The provider says no more about the price. Without a price the rate card's holds: it charges
    in another currency, for example.
    """

    @property
    def recipient_contact(self) -> str | None:
        """The recipient in valid form; None if none is named or it is not a contact.

        Some providers omit the plus sign of a phone number.
        """
        if self.recipient is None or "@" in self.recipient:
            return self.recipient
        number = self.recipient.strip()
        try:
            return e164(number if number.startswith("+") else f"+{number}")
        except InvalidPhoneNumber:
            return None

    def recipient_key(self, keys: ContactKeys) -> str | None:
        """Return the recipient's contact key; None if there is no `recipient_contact`."""
        contact = self.recipient_contact
        return None if contact is None else keys.key_of_any(contact)


_LONGEST_ID: Final = 128
_LONGEST_CODE: Final = 64
"""Longest id and code of a provider that can be stored, in characters."""


def storable_id(provider_message_id: str | None) -> str | None:
    """Return a provider's message id; None, not a truncated id, if it cannot be stored."""
    if provider_message_id is None or "\0" in provider_message_id:
        return None
    return provider_message_id if len(provider_message_id) <= _LONGEST_ID else None


def storable_code(provider_code: str | None) -> str | None:
    """Return a provider's code without NUL, truncated to the length that can be stored."""
    return None if provider_code is None else provider_code.replace("\0", "")[:_LONGEST_CODE]
