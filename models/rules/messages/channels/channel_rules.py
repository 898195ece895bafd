"""What differs between channels once a provider has a message."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from models.enums import Channel
from models.rules.messages.channels import email, sms, voice
from models.rules.messages.settlement_facts import Facts, LastWord


@dataclass(frozen=True, slots=True)
class ChannelRules:
    """How a channel's reports are read.

    `last_word` is the end they add up to, None while they do not; `taken` the units of a message
    that a provider took without anybody telling the end.
    """

    last_word: Callable[[Facts], LastWord | None]
    taken: Callable[[Facts], int]


RULES: Final = {
    Channel.SMS: ChannelRules(sms.last_word, sms.taken),
    Channel.VOICE: ChannelRules(voice.last_word, voice.taken),
    Channel.EMAIL: ChannelRules(email.last_word, email.taken),
}
