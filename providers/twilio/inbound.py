"""Inbound texts at Twilio, and whether Twilio has already answered the keyword in one.

The form has no time, so the time of arrival is used.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from models.enums import InboundKind
from models.rules.senders.north_america import area_code_of, is_toll_free
from providers.ports.messages import InboundText, VerifyInbound, Webhook
from providers.twilio.client import Account
from providers.twilio.signatures import check_account, first, signed_form

_KINDS: Final = {
    "STOP": InboundKind.OPT_OUT,
    "START": InboundKind.OPT_IN,
    "HELP": InboundKind.HELP,
}
"""Value of OptOutType → meaning.

The field is in the form only if a Messaging Service with Advanced Opt-Out has answered the text,
possibly because of a word that is configured there.
"""

_ANSWERED_WORDS: Final = frozenset(
    {"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"}
    | {"START", "YES", "UNSTOP", "HELP", "INFO"}
)
"""Texts that Twilio answers by default, in any case; it answers no text of several words.

Source: help.twilio.com, "Twilio support for opt-out keywords (SMS STOP filtering)".
"""

_NETWORK_WORDS: Final = frozenset({"STOP", "START", "UNSTOP"})
"""Texts to a toll-free number that its network answers; that cannot be disabled.

Source: help.twilio.com, "Opt-out keyword handling (SMS STOP Filtering) for Toll-Free SMS".
"""


def inbound_verifier(account: Account, url: str, clock: Callable[[], datetime]) -> VerifyInbound:
    """Return a function that verifies and parses the webhook of an inbound text.

    It raises ForgedWebhook when the signature is missing or wrong, there are too many fields or the
    form is another account's, and KeyError for any other form. A form that is sent again has the
    same event id.

    Args:
        account: the account whose numbers are texted.
        url: the webhook URL configured at Twilio.
        clock: the time now.
    """

    async def read(webhook: Webhook) -> InboundText:
        form = signed_form(webhook, url, account.tokens)
        check_account(form, account.sid)
        number, body = form["To"][0], form["Body"][0]
        keyword = _KINDS.get(first(form, "OptOutType") or "")
        return InboundText(
            event_id=form["MessageSid"][0],
            sender=first(form, "From") or "",  # missing for a withheld number
            number=number,
            body=body,
            sent_at=clock(),
            answered=keyword is not None
            or _is_answered(number, body, answers_keywords=account.answers_keywords),
            keyword=keyword,
        )

    return read


def _is_answered(number: str, body: str, *, answers_keywords: bool) -> bool:
    """Return whether Twilio by default, or the network of a toll-free number, answers a text."""
    word = body.strip().upper()
    area_code = area_code_of(number)
    if area_code is not None and is_toll_free(area_code) and word in _NETWORK_WORDS:
        return True
    return answers_keywords and word in _ANSWERED_WORDS
