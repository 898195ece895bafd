"""Converts the requests of all channels to one common draft of a send."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from api.schemas.email import V1EmailSendRequest, V1OmniEmailSendRequest
from api.schemas.messages import V1OmniSmsSendRequest
from api.schemas.voice import V1OmniVoiceSendRequest, V1TtsCallRequest
from api.services.consent.contacts import errors_name, read_contact
from models.enums import Channel, MessageType
from models.errors import ChannelNotAllowed, ValidationFailed
from models.rules.consent.contact_keys import ContactKeys
from models.rules.consent.contacts import merged_contact
from models.rules.messages.channels import email, sms, voice
from models.rules.messages.operations import (
    SEND_DIRECT_EMAIL,
    SEND_EMAIL,
    SEND_SMS,
    SEND_TTS_CALL,
    SEND_VOICE,
)

LARGEST_BODY: Final = 512 * 1024
"""Bytes of an e-mail's body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A requested send; its own fields are valid, time, policy and funds are not checked yet."""

    operation: str
    merchant: str | None
    channel: Channel
    type: MessageType
    to: Sequence[str] = field(repr=False)
    """Normalized recipients without duplicates; the first one is displayed."""
    body: str = field(repr=False)
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)
    units: int
    sender: str | None = None
    """Requested sender; must be one of the tenant's addresses."""
    send_at: datetime | None = None
    valid_for: timedelta | None = None
    attributes: Mapping[str, str]

    def contact_keys(self, keys: ContactKeys) -> list[str]:
        """Return the contact key of every recipient, in order."""
        return [keys.key(self.channel, contact) for contact in self.to]


def sms_draft(order: V1OmniSmsSendRequest) -> Draft:
    """Parse an SMS; raises InvalidPhoneNumber, MessageTooLong."""
    to = _recipient(Channel.SMS, order.to)
    with errors_name("message"):
        units = sms.held(order.message)
    return Draft(
        operation=SEND_SMS,
        merchant=order.merchant_id,
        channel=Channel.SMS,
        type=order.type,
        to=[to],
        body=order.message,
        units=units,
        send_at=order.send_at,
        valid_for=_seconds(order.valid_for_seconds),
        attributes=order.metadata or {},
    )


def voice_draft(order: V1OmniVoiceSendRequest) -> Draft:
    """Parse a call; raises InvalidPhoneNumber, and ChannelNotAllowed for MARKETING.

    A marketing call needs an opt-out during the call (47 CFR 64.1200(b)(3)), which is not
    implemented.
    """
    if order.type is MessageType.MARKETING:
        raise ChannelNotAllowed(
            "MARKETING cannot be sent by voice. Use SMS or /api/v1/messages/email."
        )
    to = _recipient(Channel.VOICE, order.to)
    details: dict[str, Any] = {
        "record": order.record,
        "ringSeconds": order.timeout_seconds,
        "longestSeconds": order.max_duration_seconds,
        "language": order.language,
        "voice": order.voice,
    }
    operation = SEND_VOICE
    if isinstance(order, V1TtsCallRequest):
        operation = SEND_TTS_CALL
        details["labels"] = {
            "tenantId": order.tenant_id,
            "sourceSystem": order.source_system,
            "useCase": order.use_case,
        }
    return Draft(
        operation=operation,
        merchant=order.merchant_id,
        channel=Channel.VOICE,
        type=order.type,
        to=[to],
        body=order.text,
        details=details,
        units=voice.held(order.max_duration_seconds),
        send_at=order.send_at,
        valid_for=_seconds(order.valid_for_seconds),
        attributes=order.metadata or {},
    )


def email_draft(order: V1OmniEmailSendRequest) -> Draft:
    """Parse an e-mail of a merchant; raises InvalidEmail, ValidationFailed."""
    return Draft(
        operation=SEND_EMAIL,
        merchant=order.merchant_id,
        channel=Channel.EMAIL,
        type=order.type,
        to=[_recipient(Channel.EMAIL, order.to)],
        body=_body(order.body),
        details={"subject": order.subject, "replyTo": _address(order.reply_to)},
        units=email.held(1),
        send_at=order.send_at,
        valid_for=_seconds(order.valid_for_seconds),
        attributes=order.metadata or {},
    )


def direct_draft(order: V1EmailSendRequest, own_merchant: str | None) -> Draft:
    """Parse a direct e-mail: one e-mail to all its recipients.

    Raises InvalidEmail, ValidationFailed, and ChannelNotAllowed for MARKETING.
    """
    if order.type is MessageType.MARKETING:
        raise ChannelNotAllowed(
            "MARKETING is sent by /api/v1/messages/email, with a link to unsubscribe."
        )
    given = [order.to] if isinstance(order.to, str) else order.to
    contacts = [_recipient(Channel.EMAIL, to) for to in given]
    recipients = list({merged_contact(Channel.EMAIL, to): to for to in contacts}.values())
    return Draft(
        operation=SEND_DIRECT_EMAIL,
        merchant=order.merchant_id or own_merchant,
        channel=Channel.EMAIL,
        type=order.type,
        to=recipients,
        body=_body(order.body),
        details={
            "subject": order.subject,
            "replyTo": _address(order.reply_to),
            "to": recipients,
        },
        units=email.held(len(recipients)),
        sender=order.sender,
        attributes={},
    )


def _body(body: str) -> str:
    if len(body.encode()) > LARGEST_BODY:
        raise ValidationFailed(
            errors=(("body", f"must have at most {LARGEST_BODY} bytes in UTF-8"),)
        )
    return body


def _recipient(channel: Channel, given: str) -> str:
    with errors_name("to"):
        return read_contact(channel, given)


def _address(given: str | None) -> str | None:
    with errors_name("replyTo"):
        return None if given is None else read_contact(Channel.EMAIL, given)


def _seconds(value: int | None) -> timedelta | None:
    return None if value is None else timedelta(seconds=value)
