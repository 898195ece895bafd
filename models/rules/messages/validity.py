"""Expiry of messages."""

from datetime import datetime, timedelta

from models.enums import MessageType

OTP_VALIDITY = timedelta(seconds=600)


def expiry(
    message_type: MessageType, due_at: datetime, valid_for: timedelta | None
) -> datetime | None:
    """Return the time after which a message is no longer dispatched; None: it does not expire."""
    if valid_for is not None:
        return due_at + valid_for
    return due_at + OTP_VALIDITY if message_type is MessageType.OTP else None
