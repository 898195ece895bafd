"""What a bounce reports, by its status, and what is no bounce."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.enums import Channel, ErrorCode, ReportStatus, SuppressionReason
from providers.ports.messages import ForgedWebhook, Report, Webhook
from providers.smtp.bounces import LONGEST, RECIPIENT, bounce_reader, read_bounce
from providers.smtp.verp import BounceAddresses
from tests.smtp.bounce_mails import ADDRESSES, block, notification, plain, return_address
from tests.smtp.mails import REFERENCE, SECRET, TO

NOW = datetime(2026, 4, 16, 12, tzinfo=UTC)
HARD = SuppressionReason.HARD_BOUNCE
SEVERAL = return_address(recipients=3)
A, B, C = "a@example.com", "b@example.com", "c@example.com"


def read(mail: bytes, delivered_to: str = "") -> tuple[Report, ...]:
    return read_bounce(ADDRESSES, mail, NOW, delivered_to=delivered_to)


def told(mail: bytes) -> list[tuple[Any, ...]]:
    """Return recipient, status, error, suppression and code of every report."""
    return [
        (r.recipient, r.status, r.error_code, r.suppresses, r.provider_code) for r in read(mail)
    ]


def test_a_bounce_is_a_report_under_our_reference() -> None:
    [report] = read(notification([block()]))
    assert report == Report(
        reference=REFERENCE,
        event_id=report.event_id,
        provider_message_id=REFERENCE,
        status=ReportStatus.UNDELIVERED,
        reported_at=NOW,
        phase="failed",
        channel=Channel.EMAIL,
        suppresses=HARD,
        error_code=ErrorCode.BAD_DESTINATION,
        provider_code="5.1.1",
    )
    assert len(report.event_id) == 64


@pytest.mark.parametrize(
    ("status", "error_code", "suppresses"),
    [
        ("5.1.1", ErrorCode.BAD_DESTINATION, HARD),
        ("5.1.2", ErrorCode.BAD_DESTINATION, HARD),
        ("5.1.3", ErrorCode.BAD_DESTINATION, HARD),
        ("5.1.6", ErrorCode.BAD_DESTINATION, HARD),
        ("5.1.10", ErrorCode.BAD_DESTINATION, HARD),
        ("5.1.0", ErrorCode.DELIVERY_FAILED, None),
        ("5.1.8", ErrorCode.DELIVERY_FAILED, None),
        ("5.1.100", ErrorCode.DELIVERY_FAILED, None),
        ("5.2.1", ErrorCode.UNREACHABLE, None),
        ("5.2.2", ErrorCode.UNREACHABLE, None),
        ("5.3.4", ErrorCode.DELIVERY_FAILED, None),
        ("5.4.4", ErrorCode.UNREACHABLE, None),
        ("5.7.1", ErrorCode.DELIVERY_FAILED, None),
        ("5.7.26", ErrorCode.DELIVERY_FAILED, None),
        ("5.0.0", ErrorCode.DELIVERY_FAILED, None),
        ("4.4.7", ErrorCode.UNREACHABLE, None),
        ("4.1.1", ErrorCode.UNREACHABLE, None),
        ("4.2.2", ErrorCode.UNREACHABLE, None),
    ],
)
def test_only_an_address_that_does_not_exist_is_suppressed(
    status: str, error_code: ErrorCode, suppresses: SuppressionReason | None
) -> None:
    mail = notification([block(status=status)])
    assert told(mail) == [(None, ReportStatus.UNDELIVERED, error_code, suppresses, status)]


@pytest.mark.parametrize(
    ("status", "diagnostic", "code"),
    [
        ("5.0.0", "550 5.1.1 <a@example.com> unknown", "5.1.1"),
        ("5.0.0", "550-5.1.1 The account does not exist", "5.1.1"),
        ("5.0.0", "550 no such user", "5.0.0"),
        ("", "550 5.7.1 spam", "5.7.1"),
        ("garbage", "no code", None),
        ("5.1.1 (bad destination mailbox)", None, "5.1.1"),
        ("5.2.2", "550 5.1.1 contradicts", "5.2.2"),
        ("5.1.1111", None, None),
    ],
)
def test_the_code_is_that_of_the_status_or_else_of_the_diagnosis(
    status: str, diagnostic: str | None, code: str | None
) -> None:
    [report] = read(notification([block(status=status, diagnostic=diagnostic)]))
    assert report.provider_code == code


@pytest.mark.parametrize(
    ("action", "status"),
    [
        ("failed", ReportStatus.UNDELIVERED),
        ("FAILED", ReportStatus.UNDELIVERED),
        ("failed (bad mailbox)", ReportStatus.UNDELIVERED),
        ("delayed", ReportStatus.SENT),
        ("relayed", ReportStatus.SENT),
        ("expanded", ReportStatus.SENT),
        ("delivered", ReportStatus.DELIVERED),
    ],
)
def test_every_action_has_a_status_and_only_a_failure_suppresses(
    action: str, status: ReportStatus
) -> None:
    [report] = read(notification([block(action=action)]))
    failed = status is ReportStatus.UNDELIVERED
    assert (report.status, report.suppresses) == (status, HARD if failed else None)
    assert report.error_code is (ErrorCode.BAD_DESTINATION if failed else None)


def test_each_of_several_recipients_has_a_report_of_its_own() -> None:
    mail = notification(
        [
            block(A),
            block("forwarded@other.example", original="b+2Btag@example.com", status="5.2.2"),
            block(C, action="delayed", status="4.4.1"),
            block(A),
        ],
        to=SEVERAL,
    )
    assert told(mail) == [
        (A, ReportStatus.UNDELIVERED, ErrorCode.BAD_DESTINATION, HARD, "5.1.1"),
        ("b+tag@example.com", ReportStatus.UNDELIVERED, ErrorCode.UNREACHABLE, None, "5.2.2"),
        (C, ReportStatus.SENT, None, None, "4.4.1"),
    ]
    assert len({report.event_id for report in read(mail)}) == 3


def test_the_address_that_a_dead_mailbox_was_forwarded_from_is_not_suppressed() -> None:
    mail = notification([block("gone@other.example", original=TO)])
    error = ErrorCode.BAD_DESTINATION
    assert told(mail) == [(None, ReportStatus.UNDELIVERED, error, None, "5.1.1")]
    assert read(notification([block(TO.upper(), original=TO)]))[0].suppresses is HARD


def test_the_same_bounce_has_the_same_event_id_and_shows_no_contact() -> None:
    first, again = (read(notification([block(A)], to=SEVERAL))[0].event_id for _ in range(2))
    others = {
        read(notification([changed], to=SEVERAL))[0].event_id
        for changed in (block(B), block(A, status="5.2.2"), block(A, action="delayed"))
    }
    assert first == again
    assert len(others) == 3
    assert first not in others
    assert A not in first


@pytest.mark.parametrize(
    "mail",
    [
        plain(),
        plain(sender='"Mail Delivery Subsystem" <mailer-daemon@old.example>'),
        plain(sender="postmaster@old.example"),
        plain(headers=()),
        plain(headers=("Auto-Submitted: auto-replied", f"X-Failed-Recipients: {TO}")),
    ],
)
def test_a_bounce_without_a_report_fails_the_only_recipient(mail: bytes) -> None:
    status, error = ReportStatus.UNDELIVERED, ErrorCode.DELIVERY_FAILED
    assert told(mail) == [(None, status, error, None, None)]


@pytest.mark.parametrize(
    "mail",
    [
        plain(sender=TO),
        plain(sender=TO, headers=("Auto-Submitted: auto-replied",)),
        plain(headers=("Auto-Submitted: auto-replied",)),
        plain(headers=(f"Return-Path: <{TO}>",)),
        plain(subject="Warning: could not send message for past 4 hours"),
        plain(subject="Delivery Status Notification (Delay)"),
        plain(sender="postmaster@old.example", subject="Out of Office"),
        plain(to=SEVERAL),
        plain(sender=""),
        notification([block()]).replace(b"delivery-status", b"disposition-notification"),
        notification([block()]).replace(b"delivery-status", b"feedback-report"),
        notification([]),
        notification([block(action="unknown")]),
        notification(["Action: failed\nStatus: 5.1.1"]),
        notification(["Final-Recipient: rfc822; no address\nAction: failed\nStatus: 5.1.1"]),
    ],
)
def test_what_is_no_bounce_reports_nothing(mail: bytes) -> None:
    assert read(mail) == ()


@pytest.mark.parametrize("header", ["X-Original-To", "Delivered-To", "Envelope-To", "To"])
def test_the_token_is_found_where_mail_systems_write_it(header: str) -> None:
    mail = notification([block()], to="undisclosed", headers=[f"{header}: <{return_address()}>"])
    assert len(read(mail)) == 1


def test_the_token_may_be_told_by_the_mail_system() -> None:
    mail = notification([block()], to="undisclosed")
    assert len(read(mail, delivered_to=return_address().upper())) == 1


OTHER = BounceAddresses("relay", "bounces@mail.gym.example", SECRET + b"x")


@pytest.mark.parametrize(
    "to",
    [
        "bounces@mail.gym.example",
        "nobody@example.com",
        "",
        str(OTHER.write(REFERENCE, recipients=1)),
        return_address().replace("@", "a@"),
        return_address() + ".example",
    ],
)
async def test_a_bounce_without_our_token_is_refused(to: str) -> None:
    mail = notification([block()], to=to or "x")
    with pytest.raises(ForgedWebhook):
        read(mail)
    with pytest.raises(ForgedWebhook):
        read(plain(to=to or "x"))


def test_an_address_that_cannot_be_stored_is_not_reported() -> None:
    for address in ("a\0b@example.com", "a b@example.com", "a@example.com\x1b"):
        mail = notification([block(address)], to=SEVERAL)
        assert read(mail) == ()
    encoded = notification(
        [block(original="a+00b@example.com", to="a+00b@example.com")], to=SEVERAL
    )
    assert read(encoded) == ()
    raw = notification([block("XX@example.com")], to=SEVERAL).replace(b"XX", b"\xff\xfe")
    assert read(raw) == ()


def test_the_international_form_is_read() -> None:
    mail = notification(
        ["Final-Recipient: utf-8; jürgen@example.com\nAction: failed\nStatus: 5.1.1", block(B)],
        to=SEVERAL,
        kind="message/global-delivery-status",
    )
    assert [report.recipient for report in read(mail)] == ["jürgen@example.com", B]


def test_what_is_read_is_bounded() -> None:
    many = [block(f"user-{number}@example.com") for number in range(500)]
    assert len(read(notification(many, to=SEVERAL))) < 100
    huge = notification([block()]) + b"x" * (2 * LONGEST)
    assert len(read(huge)) == 1
    late = notification([block()]).replace(b"--b1\n", b"--b1\n\nx\n" * 20, 1)
    assert read(late) == ()


def test_a_mail_that_breaks_the_parser_is_unreadable_and_shows_nothing() -> None:
    nested = f"To: {return_address()}\n" + "".join(
        f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(3000)
    )
    shown = ""
    try:
        read(nested.encode())
    except ValueError as error:
        shown = str(error)
    assert shown in ("", "RecursionError")


@given(st.binary(max_size=2000), st.integers(0, 900), st.integers(0, 60))
def test_no_damage_raises_anything_else(junk: bytes, at: int, cut: int) -> None:
    whole = notification([block(A), block(B)], to=SEVERAL)
    for mail in (junk, whole[:at] + junk + whole[at + cut :]):
        try:
            reports = read(mail, delivered_to=SEVERAL)
        except (ForgedWebhook, ValueError):
            continue
        assert all(report.reference == REFERENCE for report in reports)


async def test_it_is_read_as_a_webhook() -> None:
    reader = bounce_reader(ADDRESSES, lambda: NOW)
    mail = notification([block()], to="undisclosed")
    headers = {RECIPIENT: return_address()}
    assert await reader(Webhook(url="", headers=headers, body=mail)) == read(
        mail, delivered_to=return_address()
    )
