"""Bounces as mail systems write them."""

from collections.abc import Sequence

from providers.smtp.verp import BounceAddresses
from tests.smtp.mails import REFERENCE, SECRET, TO

ADDRESSES = BounceAddresses("relay", "bounces@mail.gym.example", SECRET)


def return_address(reference: str = REFERENCE, recipients: int = 1) -> str:
    """Return the envelope sender of an e-mail."""
    address = ADDRESSES.write(reference, recipients=recipients)
    assert address is not None
    return address


def block(
    to: str = TO,
    *,
    action: str = "failed",
    status: str = "5.1.1",
    original: str | None = None,
    diagnostic: str | None = None,
) -> str:
    """Return the fields of one recipient."""
    lines = [f"Final-Recipient: rfc822; {to}", f"Action: {action}", f"Status: {status}"]
    if original is not None:
        lines.insert(0, f"Original-Recipient: rfc822;{original}")
    if diagnostic is not None:
        lines.append(f"Diagnostic-Code: smtp; {diagnostic}")
    return "\n".join(lines)


def notification(
    blocks: Sequence[str],
    *,
    to: str | None = None,
    headers: Sequence[str] = (),
    kind: str = "message/delivery-status",
) -> bytes:
    """Return a delivery status notification, as Postfix writes it."""
    head = [
        *headers,
        "Return-Path: <>",
        "From: MAILER-DAEMON@relay.test (Mail Delivery System)",
        "Subject: Undelivered Mail Returned to Sender",
        f"To: {to or return_address()}",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b1"',
    ]
    groups = ["Reporting-MTA: dns; relay.test\nX-Postfix-Queue-ID: 4ABC", *blocks]
    status = "\n\n".join(groups)
    lines = [
        *head,
        "",
        "This is a MIME-encapsulated message.",
        "--b1",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        "I'm sorry to have to inform you that your message could not be delivered.",
        "--b1",
        f"Content-Type: {kind}",
        "",
        status,
        "",
        "--b1",
        "Content-Type: text/rfc822-headers",
        "",
        "Subject: Hello",
        "--b1--",
        "",
    ]
    return "\n".join(lines).encode()


def plain(
    *,
    to: str | None = None,
    sender: str = "MAILER-DAEMON@old.example",
    subject: str = "failure notice",
    headers: Sequence[str] = ("Return-Path: <>",),
) -> bytes:
    """Return a mail without a report, as qmail writes it."""
    lines = [
        *headers,
        f"From: {sender}",
        f"To: {to or return_address()}",
        f"Subject: {subject}",
        "",
        "Hi. This is the qmail-send program at old.example.",
        f"<{TO}>:",
        "Sorry, no mailbox here by that name. (#5.1.1)",
        "",
    ]
    return "\n".join(lines).encode()
