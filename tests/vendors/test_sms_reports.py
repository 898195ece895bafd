"""Status callbacks of SMS at Twilio: what they report."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from models.enums import Channel, ErrorCode, ReportStatus, SuppressionReason
from providers.ports.messages import Report, Webhook
from providers.twilio.client import Account
from providers.twilio.message_codes import FAILURES, STATUSES
from providers.twilio.message_reports import report_verifier
from providers.twilio.signatures import SIGNATURE_HEADER, signature
from tests.vendors.sms_fixtures import CALLBACK, FROM, NOW, REFERENCE, TO
from tests.vendors.twilio_double import ACCOUNT, TOKEN

SID = "SM" + "0a" * 16
ON_TWILIO = Account(sid=ACCOUNT, token=TOKEN, name="twilio-us")


def callback(**changes: str | None) -> dict[str, str]:
    """Return the form of a status callback; a field that is None is missing."""
    form = {
        "MessageSid": SID,
        "SmsSid": SID,
        "MessageStatus": "delivered",
        "SmsStatus": "delivered",
        "AccountSid": ACCOUNT,
        "From": FROM,
        "To": TO,
        "ApiVersion": "2010-04-01",
        "RawDlrDoneDate": "2611271301",
        **changes,
    }
    return {name: value for name, value in form.items() if value is not None}


def posted(form: Mapping[str, str], url: str = CALLBACK, token: str = TOKEN) -> Webhook:
    told = signature(token, url, {name: [value] for name, value in form.items()})
    return Webhook(url=url, headers={SIGNATURE_HEADER: told}, body=urlencode(form).encode())


async def read(webhook: Webhook, account: Account = ON_TWILIO) -> Sequence[Report]:
    return await report_verifier(account, lambda: NOW)(webhook)


async def read_one(**changes: str | None) -> Report:
    [report] = await read(posted(callback(**changes)))
    return report


async def test_a_report_names_the_message_the_attempt_and_the_recipient() -> None:
    assert await read_one() == Report(
        event_id=f"{SID}:delivered",
        reference=REFERENCE,
        provider_message_id=SID,
        status=ReportStatus.DELIVERED,
        phase="delivered",
        reported_at=NOW,
        channel=Channel.SMS,
        recipient=TO,
    )


STATUS = [
    ("sent", ReportStatus.SENT),
    ("partially_delivered", ReportStatus.SENT),
    ("delivered", ReportStatus.DELIVERED),
    ("read", ReportStatus.DELIVERED),
    ("undelivered", ReportStatus.UNDELIVERED),
    ("failed", ReportStatus.FAILED),
    ("canceled", ReportStatus.FAILED),
]


@pytest.mark.parametrize(("status", "ours"), STATUS)
async def test_each_status_has_one_of_ours_and_an_event_of_its_own(
    status: str, ours: ReportStatus
) -> None:
    report = await read_one(MessageStatus=status)
    assert (report.status, report.phase, report.event_id) == (ours, status, f"{SID}:{status}")


@pytest.mark.parametrize(
    "status", ["accepted", "scheduled", "queued", "sending", "receiving", "received", "", "Sent"]
)
async def test_a_status_that_says_nothing_new_is_no_report(status: str) -> None:
    assert list(await read(posted(callback(MessageStatus=status)))) == []


def test_the_table_holds_these_statuses() -> None:
    assert dict(STATUS) == STATUSES


CODES: list[tuple[str | None, ErrorCode, SuppressionReason | None]] = [
    ("21610", ErrorCode.OPTED_OUT, SuppressionReason.CARRIER_OPT_OUT),
    ("30003", ErrorCode.UNREACHABLE, None),
    ("30005", ErrorCode.BAD_DESTINATION, None),
    ("30006", ErrorCode.BAD_DESTINATION, None),
    ("30024", ErrorCode.SENDER_NOT_REGISTERED, None),
    ("30032", ErrorCode.SENDER_NOT_REGISTERED, None),
    ("30034", ErrorCode.SENDER_NOT_REGISTERED, None),
    ("30036", ErrorCode.EXPIRED, None),
    ("30047", ErrorCode.OUTSIDE_HOURS, None),
    ("30610", ErrorCode.OUTSIDE_HOURS, None),
    ("30001", ErrorCode.DELIVERY_FAILED, None),
    ("30002", ErrorCode.DELIVERY_FAILED, None),
    ("30004", ErrorCode.DELIVERY_FAILED, None),
    ("30007", ErrorCode.DELIVERY_FAILED, None),
    ("30008", ErrorCode.DELIVERY_FAILED, None),
    ("99999", ErrorCode.DELIVERY_FAILED, None),
    (None, ErrorCode.DELIVERY_FAILED, None),
    ("", ErrorCode.DELIVERY_FAILED, None),
    ("x", ErrorCode.DELIVERY_FAILED, None),
    ("٣٠٠٠٣", ErrorCode.DELIVERY_FAILED, None),
    ("9" * 5000, ErrorCode.DELIVERY_FAILED, None),
]


@pytest.mark.parametrize(("code", "ours", "suppresses"), CODES)
@pytest.mark.parametrize("status", ["undelivered", "failed"])
async def test_a_code_says_why_it_was_not_delivered(
    status: str, code: str | None, ours: ErrorCode, suppresses: SuppressionReason | None
) -> None:
    report = await read_one(MessageStatus=status, ErrorCode=code)
    known = code is not None and code.isascii() and code.isdigit() and len(code) == 5
    assert (report.error_code, report.suppresses) == (ours, suppresses)
    assert report.provider_code == (code if known else None)


def test_every_code_of_the_table_is_above() -> None:
    assert {str(code) for code in FAILURES} < {code for code, *_ in CODES}


@pytest.mark.parametrize("status", ["sent", "delivered"])
async def test_a_code_of_a_message_that_is_not_undelivered_says_nothing(status: str) -> None:
    report = await read_one(MessageStatus=status, ErrorCode="21610")
    assert (report.error_code, report.provider_code, report.suppresses) == (None, None, None)


@pytest.mark.parametrize(
    ("url", "reference"),
    [
        (f"{CALLBACK}?a=1&b=2", REFERENCE),
        ("http://h/p/webhooks/twilio-us/hx-1-2-4", "hx-1-2-4"),
        ("https://h/webhooks/twilio-us/events", "events"),
        ("https://h/", ""),
    ],
)
async def test_the_reference_is_the_end_of_the_signed_address(url: str, reference: str) -> None:
    [report] = await read(posted(callback(), url))
    assert report.reference == reference


async def test_a_report_without_a_recipient_is_about_the_only_one() -> None:
    assert (await read_one(To=None)).recipient is None
    assert (await read_one(To="")).recipient is None


@pytest.mark.parametrize("missing", ["MessageSid", "MessageStatus"])
async def test_a_text_or_a_call_does_not_pass_for_a_report(missing: str) -> None:
    with pytest.raises(KeyError):
        await read(posted(callback(**{missing: None})))


@pytest.mark.parametrize("sid", ["", "SM1", "CA" + "0" * 32, SID + "\n", SID + "0"])
async def test_an_id_that_is_no_messages_cannot_be_read(sid: str) -> None:
    with pytest.raises(ValueError, match="not the id"):
        await read(posted(callback(MessageSid=sid)))


async def test_a_repeated_callback_is_the_same_event() -> None:
    first, again = await read_one(), await read_one(RawDlrDoneDate=None)
    assert first.event_id == again.event_id


async def test_the_carriers_time_is_not_used_because_its_zone_is_unknown() -> None:
    reported: set[datetime] = {
        (await read_one(RawDlrDoneDate=told)).reported_at
        for told in ("2611271301", "", "9999999999", None)
    }
    assert reported == {NOW}


def test_the_account_shows_no_secret() -> None:
    account: Any = Account(sid=ACCOUNT, token="one-secret", previous_token="other-secret")
    assert "secret" not in repr(account)
