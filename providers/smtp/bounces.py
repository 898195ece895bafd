"""Reads bounces: mails that a mail system sends to the envelope sender of an e-mail of ours.

Usual are delivery status notifications (RFC 3464). The envelope sender carries a keyed token of the
attempt (`verp`); a mail without a valid one is refused. Nothing that a mail says in words is kept.
"""

import asyncio
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes, message_from_string
from email.message import Message
from typing import Final

from models.enums import Channel, ErrorCode, ReportStatus, SuppressionReason
from providers.ports.messages import ForgedWebhook, Report, VerifyReports, Webhook
from providers.smtp.replies import BAD_MAILBOX
from providers.smtp.verp import BounceAddresses, BouncedAttempt

LONGEST: Final = 262_144
"""Bytes of a bounce that are read. The report precedes the copy of the original mail."""

RECIPIENT: Final = "Envelope-Recipient"
"""Header of the webhook with the address that the mail was delivered to, if that is known."""

_MOST_PARTS: Final = 10
_MOST_BLOCKS: Final = 100
"""Parts of a mail, and recipients of a report, that are looked at. An e-mail of ours has 50."""

_LONGEST_FIELD: Final = 1000
"""Characters of a header that are looked at."""

_ADDRESSED: Final = ("X-Original-To", "Delivered-To", "Envelope-To", "To")
"""Headers that name the address that a mail was delivered to."""

_ADDRESS: Final = re.compile(
    r"[^\s\0-\x1f\x7f\ud800-\udfff\ufffd<>,;:\"()@]{1,64}@[^\s\0-\x1f\x7f\ud800-\udfff\ufffd<>,;:\"()@]{1,253}"
)
"""What looks like an address and can be stored."""
_STATUS: Final = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})(?!\d)", re.ASCII)
_DIAGNOSED: Final = re.compile(r"\b\d{3}[ -]([45]\.\d{1,3}\.\d{1,3})(?!\d)", re.ASCII)
_XTEXT: Final = re.compile(r"\+([0-9A-F]{2})", re.ASCII)
_STATUS_TYPES: Final = frozenset({"message/delivery-status", "message/global-delivery-status"})

_PROGRAMS: Final = frozenset({"mailer-daemon", "mailerdaemon", "mail-daemon", "postmaster"})
"""Local parts that mail systems write bounces from."""
_NOT_FINAL: Final = re.compile(
    r"delay|warning|temporar|still being|vacation|out of office|automatic reply", re.IGNORECASE
)
"""Subjects of mails that are no bounces, or not yet."""

_ACTIONS: Final = {
    "failed": ReportStatus.UNDELIVERED,
    "delivered": ReportStatus.DELIVERED,
    "delayed": ReportStatus.SENT,
    "relayed": ReportStatus.SENT,
    "expanded": ReportStatus.SENT,
}


@dataclass(frozen=True, slots=True)
class _Block:
    """What a report says of one recipient."""

    action: str
    status: str | None
    original: str | None = field(repr=False)
    """As we wrote it in ORCPT."""
    final: str | None = field(repr=False)
    """As the reporting system knows it: after forwarding, another one."""


def bounce_reader(addresses: BounceAddresses, clock: Callable[[], datetime]) -> VerifyReports:
    """Return a function that reads a bounce as if it were a webhook with the mail as its body.

    It raises ForgedWebhook for a mail to no valid token, and ValueError for one that cannot be
    parsed.
    """

    async def read(webhook: Webhook) -> Sequence[Report]:
        delivered_to = webhook.headers.get(RECIPIENT, "")
        return await asyncio.to_thread(
            read_bounce, addresses, webhook.body, clock(), delivered_to=delivered_to
        )

    return read


def read_bounce(
    addresses: BounceAddresses, mail: bytes, now: datetime, *, delivered_to: str = ""
) -> tuple[Report, ...]:
    """Return what a mail reports; nothing if it is no bounce, such as the reply of a person.

    Raises ForgedWebhook, ValueError.
    """
    try:
        message = message_from_bytes(mail[:LONGEST])
        attempt = _attempt(addresses, message, delivered_to)
        if attempt is None:
            raise ForgedWebhook
        blocks = list(_blocks(message))
        if blocks:
            found = {report.event_id: report for report in _reports(attempt, blocks, now)}
            return tuple(found.values())
        if attempt.single and _is_plain_bounce(message):
            return (_report(attempt, _Block("failed", None, None, None), now),)
    except (RecursionError, LookupError, TypeError, AttributeError) as error:
        # of the standard library's parser; its message may contain a part of the mail
        raise ValueError(type(error).__name__) from None
    return ()


def _attempt(
    addresses: BounceAddresses, message: Message, delivered_to: str
) -> BouncedAttempt | None:
    values = [delivered_to]
    for name in _ADDRESSED:
        values += [str(value) for value in (message.get_all(name) or [])[:_MOST_PARTS]]
    for value in values:
        for address in _ADDRESS.findall(value[:_LONGEST_FIELD]):
            if (attempt := addresses.read(address)) is not None:
                return attempt
    return None


def _blocks(message: Message) -> Iterator[_Block]:
    """Yield what a delivery status notification says of each recipient."""
    payload = message.get_payload()
    parts = payload if isinstance(payload, list) else []
    for part in parts[:_MOST_PARTS]:
        if isinstance(part, Message) and part.get_content_type() in _STATUS_TYPES:
            for fields in _groups(part)[:_MOST_BLOCKS]:
                block = _block(fields)
                if block is not None:
                    yield block
            return


def _groups(part: Message) -> list[Message]:
    """Return the groups of fields of a report: of the report itself, and of each recipient."""
    payload = part.get_payload()
    groups = [group for group in payload if isinstance(group, Message)]
    if part.get_content_type() == "message/delivery-status" or not groups:
        return groups
    # The standard library takes the first group of the international form (RFC 6533) for the head
    # of a mail, and the others for its text.
    rest = groups[0].get_payload(decode=True)
    text = rest.decode(errors="replace") if isinstance(rest, bytes) else ""
    texts = re.split(r"(?:\r?\n){2,}", text.strip(), maxsplit=_MOST_BLOCKS)
    return [message_from_string(one) for one in texts]


def _block(fields: Message) -> _Block | None:
    action = _field(fields, "Action").partition("(")[0].strip().lower()
    original = _recipient(_field(fields, "Original-Recipient"))
    final = _recipient(_field(fields, "Final-Recipient"))
    if action not in _ACTIONS or (original is None and final is None):
        return None
    stated = _STATUS.match(_field(fields, "Status"))
    status = stated[1] if stated else None
    if status is None or status.endswith(".0.0"):  # unspecified
        diagnosed = _DIAGNOSED.search(_field(fields, "Diagnostic-Code"))
        status = diagnosed[1] if diagnosed else status
    return _Block(action, status, original, final)


def _field(fields: Message, name: str) -> str:
    return str(fields.get(name, ""))[:_LONGEST_FIELD]


def _recipient(value: str) -> str | None:
    """Return the address of a field such as `rfc822; a@example.com`."""
    kind, _, address = value.partition(";")
    plain = address.strip().removeprefix("<").removesuffix(">")
    if kind.strip().lower() == "rfc822":
        plain = _XTEXT.sub(lambda found: chr(int(found[1], 16)), plain)
    return plain if _ADDRESS.fullmatch(plain) else None


def _reports(attempt: BouncedAttempt, blocks: list[_Block], now: datetime) -> Iterator[Report]:
    for block in blocks:
        yield _report(attempt, block, now)


def _report(attempt: BouncedAttempt, block: _Block, now: datetime) -> Report:
    recipient = None if attempt.single else block.original or block.final
    failed = _ACTIONS[block.action] is ReportStatus.UNDELIVERED
    return Report(
        reference=attempt.reference,
        event_id=_event_id(attempt.reference, recipient, block),
        provider_message_id=attempt.reference,
        status=_ACTIONS[block.action],
        reported_at=now,
        phase=block.action,
        channel=Channel.EMAIL,
        recipient=recipient,
        suppresses=SuppressionReason.HARD_BOUNCE if failed and _is_dead(block) else None,
        error_code=_error_code(block.status) if failed else None,
        provider_code=block.status,
    )


def _is_dead(block: _Block) -> bool:
    """Return whether the address itself is wrong, not one that it forwards to."""
    forwarded = None not in (block.original, block.final) and (
        str(block.original).lower() != str(block.final).lower()
    )
    return block.status in BAD_MAILBOX and not forwarded


def _error_code(status: str | None) -> ErrorCode:
    if status in BAD_MAILBOX:
        return ErrorCode.BAD_DESTINATION
    # Mailbox full or closed, no route, given up after days (RFC 3463).
    if status is not None and status.startswith(("4.", "5.2.", "5.4.")):
        return ErrorCode.UNREACHABLE
    return ErrorCode.DELIVERY_FAILED


def _event_id(reference: str, recipient: str | None, block: _Block) -> str:
    """Return an id that is equal whenever the same is reported; it shows no contact."""
    told = "\0".join((reference, (recipient or "").lower(), block.action, block.status or ""))
    return hashlib.sha256(told.encode(errors="replace")).hexdigest()


def _is_plain_bounce(message: Message) -> bool:
    """Return whether a mail without a report is a bounce of an old mail system."""
    if message.get_content_type() == "multipart/report":  # of another kind: it was read, is spam
        return False
    return_path = _field(message, "Return-Path").strip()
    author = _ADDRESS.search(_field(message, "From"))
    program = author is not None and author[0].partition("@")[0].lower() in _PROGRAMS
    named = "X-Failed-Recipients" in message
    automatic = _field(message, "Auto-Submitted").strip().lower().startswith("auto-replied")
    final = not _NOT_FINAL.search(_field(message, "Subject"))
    return return_path in ("", "<>") and program and final and (named or not automatic)
