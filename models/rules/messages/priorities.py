"""Priorities of message types, used wherever messages are queued."""

from typing import Final

from models.enums import MessageType

_PRIORITIES: Final = {
    MessageType.OTP: 1,
    MessageType.TRANSACTIONAL: 2,
    MessageType.NOTIFICATION: 3,
    MessageType.REMINDER: 3,
    MessageType.MARKETING: 4,
}


def priority_of(message_type: MessageType) -> int:
    """Return the priority of a message type; 1 is the highest."""
    return _PRIORITIES[message_type]
