"""What a provider tells about a message it took, whoever passes it on."""

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
    """Why a report is not believed although its signature is right: it is not about its attempt."""

    ATTEMPT = "ATTEMPT"
    """There is no such attempt."""
    PROVIDER = "PROVIDER"
    """The attempt was made with another provider."""
    CHANNEL = "CHANNEL"
    RECIPIENT = "RECIPIENT"
    """It names nobody the message was sent to, or does not say which of several it is about."""
    MESSAGE_ID = "MESSAGE_ID"
    """The provider's message id belongs to another attempt, or the attempt has another one."""
    EVENT = "EVENT"
    """The event was told before, of another attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryEvent:
    """One thing a provider told.

    `event_id` is the provider's own and unique per event: the same event told twice is one report.
    """

    event_id: str
    provider_message_id: str
    """The provider's own id of the message: the only one there is if its answer was lost."""
    status: ReportStatus
    reported_at: datetime
    phase: str = ""
    """The provider's own word, shown in the event trail."""
    channel: Channel | None = None
    """None if the provider does not tell."""
    recipient: str | None = field(default=None, repr=False)
    """Whom of several it is about, for e-mail."""
    duration_seconds: int | None = None
    """Of an answered call."""
    suppresses: SuppressionReason | None = None
    """Why the recipient must not be written to again, if it says so."""
    error_code: ErrorCode | None = None
    provider_code: str | None = None
    price: Decimal | None = None
    """What the whole message costs in USD, never negative, without what carriers get apart."""

    @property
    def recipient_contact(self) -> str | None:
        """The recipient in valid form; None if none is named, or the name is no contact.

        Some providers leave out the plus sign of a phone number.
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
"""Characters of a provider's id and of its code that can be stored."""


def storable_id(provider_message_id: str | None) -> str | None:
    """Return a provider's id of a message; one that cannot be stored is left out, not cut short."""
    if provider_message_id is None or "\0" in provider_message_id:
        return None
    return provider_message_id if len(provider_message_id) <= _LONGEST_ID else None


def storable_code(provider_code: str | None) -> str | None:
    """Return a provider's code as it can be stored."""
    return None if provider_code is None else provider_code.replace("\0", "")[:_LONGEST_CODE]
