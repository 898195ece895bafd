"""Which kind of message goes first, wherever messages wait for each other."""

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
    """Return the priority of a message: 1 goes first."""
    return _PRIORITIES[message_type]
