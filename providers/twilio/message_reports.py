"""Reports on messages at Twilio, from webhooks and look-ups.

A webhook's form has no time that can be used: RawDlrDoneDate is the carrier's, to the minute and
in an unknown zone. So the time of arrival is that of the event. It has no price either.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final
from urllib.parse import urlsplit

from models.enums import Channel
from providers.ports.messages import Report, VerifyReports, Webhook
from providers.twilio.client import Account
from providers.twilio.message_codes import SID, STATUSES, error_code_of, suppression_of
from providers.twilio.signatures import check_account, first, signed_form

_LONGEST_RECIPIENT: Final = 320
"""Characters that can be stored."""


def report_verifier(account: Account, clock: Callable[[], datetime]) -> VerifyReports:
    """Return a function that verifies the status callback of a message and reads its report.

    The reference is the end of the address, which the signature covers. It raises ForgedWebhook
    when the signature is missing or wrong or the form is another account's, and ValueError or
    KeyError for any other form.
    """

    async def read(webhook: Webhook) -> Sequence[Report]:
        form = signed_form(webhook, webhook.url, account.tokens)
        check_account(form, account.sid)
        report = report_of(
            reference=urlsplit(webhook.url).path.rpartition("/")[2],
            sid=form["MessageSid"][0],
            status=form["MessageStatus"][0],
            code=_code(first(form, "ErrorCode")),
            at=clock(),
            recipient=first(form, "To"),
        )
        return () if report is None else (report,)

    return read


def report_of(
    *,
    reference: str,
    sid: str,
    status: str,
    code: int | None,
    at: datetime,
    recipient: str | None,
    price: Decimal | None = None,
    price_settled: bool = False,
) -> Report | None:
    """Return the report of a message's status; None if it says only that Twilio has the message.

    Raises:
        ValueError: `sid` is not the id of a message, or the recipient cannot be stored.
    """
    if not SID.fullmatch(sid):
        raise ValueError("not the id of a message")
    ours = STATUSES.get(status)
    if ours is None:
        return None
    error_code = error_code_of(ours, code)
    return Report(
        event_id=f"{sid}:{status}",
        reference=reference,
        provider_message_id=sid,
        status=ours,
        phase=status,
        reported_at=at,
        channel=Channel.SMS,
        recipient=_recipient(recipient),
        suppresses=suppression_of(error_code),
        error_code=error_code,
        provider_code=None if error_code is None or code is None else str(code),
        price=price,
        price_settled=price_settled,
    )


def _recipient(given: str | None) -> str | None:
    """Return the recipient of a form; None if there is none. Raises ValueError if not storable."""
    if not given:
        return None
    if len(given) > _LONGEST_RECIPIENT or not given.isprintable():
        raise ValueError("not a recipient")
    return given


def _code(given: str | None) -> int | None:
    """Return an error code of a form; None if there is none that can be one."""
    if given is None or not (given.isascii() and given.isdigit() and len(given) <= 6):
        return None
    return int(given)
