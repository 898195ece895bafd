"""Rules for delivery reports and units, by channel."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from models.enums import Channel
from models.rules.messages.channels import email, sms, voice
from models.rules.messages.settlement_facts import Facts, FinalReport


@dataclass(frozen=True, slots=True)
class ChannelRules:
    """How a channel's reports are interpreted.

    `final_report` returns the end that the reports amount to, None while they do not. `taken`
    returns the units of a message that a provider accepted and whose end was not reported.
    """

    final_report: Callable[[Facts], FinalReport | None]
    taken: Callable[[Facts], int]


RULES: Final = {
    Channel.SMS: ChannelRules(sms.final_report, sms.taken),
    Channel.VOICE: ChannelRules(voice.final_report, voice.taken),
    Channel.EMAIL: ChannelRules(email.final_report, email.taken),
}
