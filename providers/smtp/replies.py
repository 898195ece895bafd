"""What a relay's replies mean, by the command they answer (RFC 5321, RFC 3463)."""

import re
from dataclasses import dataclass
from typing import Final

from models.enums import ErrorCode
from providers.ports.messages import Answer, NotProcessed, Refused

_ENHANCED: Final = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s|$)", re.ASCII)

BAD_MAILBOX: Final = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})
"""The address itself is wrong, wherever it is sent from: no such mailbox, no such system, bad
syntax, moved without a new address (RFC 3463, section 3.2), no mail at this domain (RFC 7505).

5.1.0 and 5.1.7 to 5.1.9 are not among them: they are unspecified or about the sender. 5.2.1
(mailbox disabled) is not either, since large providers also answer it when a mailbox receives too
fast.
"""

_NO_ADDRESS: Final = frozenset({501, 550, 551, 553})
"""Codes of RCPT that are about the address if no enhanced code says otherwise."""
_UNAUTHENTICATED: Final = frozenset({530, 534, 535, 538})
"""Authentication is required, too weak, invalid, or requires encryption (RFC 4954)."""
_TOO_LARGE: Final = frozenset({"5.2.3", "5.3.4"})


@dataclass(frozen=True, slots=True)
class Reply:
    """The numbers of a reply. Its text is never kept, because it may name contacts."""

    code: int
    enhanced: str | None = None

    @property
    def provider_code(self) -> str:
        """Return the numbers as one text, such as `451 4.7.1`."""
        return f"{self.code} {self.enhanced}" if self.enhanced else str(self.code)

    @property
    def positive(self) -> bool:
        """Whether the command was carried out."""
        return 200 <= self.code <= 299

    @property
    def temporary(self) -> bool:
        """Whether the command was refused for now."""
        return 400 <= self.code <= 499

    @property
    def permanent(self) -> bool:
        """Whether the command was refused for good."""
        return 500 <= self.code <= 599


def read_reply(code: int, text: str) -> Reply:
    """Return the numbers of a reply; an enhanced code of another class is ignored."""
    found = _ENHANCED.match(text)
    enhanced = found[1] if found and found[1][0] == str(code)[0] else None
    return Reply(code, enhanced)


def session_refused(phase: str, reply: Reply) -> NotProcessed:
    """Return the answer for a refused greeting, EHLO, STARTTLS or AUTH.

    A permanent refusal is about the account or its configuration, never about a message.
    """
    return _not_processed(phase, reply, account_fault=reply.permanent)


def sender_refused(reply: Reply) -> Answer:
    """Return the answer for a refused MAIL: the sender is not allowed, or the e-mail too large.

    Without authentication no sender is allowed: the account is at fault.
    """
    if reply.permanent and (reply.enhanced in _TOO_LARGE or reply.code == 552):
        return _refused(ErrorCode.PROVIDER_REFUSED, reply)
    unauthenticated = reply.code in _UNAUTHENTICATED
    return NotProcessed(
        reason="MAIL refused",
        provider_code=reply.provider_code,
        account_fault=unauthenticated,
        sender_fault=reply.permanent and not unauthenticated,
    )


def recipient_refused(reply: Reply) -> Answer:
    """Return the answer for a refused RCPT."""
    if not reply.permanent:
        return _not_processed("RCPT", reply)
    if reply.code in _UNAUTHENTICATED:
        return _not_processed("RCPT", reply, account_fault=True)
    if reply.enhanced in BAD_MAILBOX:
        return _refused(ErrorCode.BAD_DESTINATION, reply, everywhere=True)
    about_address = reply.code in _NO_ADDRESS and reply.enhanced is None
    if about_address or (reply.enhanced or "").startswith("5.1."):
        return _refused(ErrorCode.BAD_DESTINATION, reply)
    return _refused(ErrorCode.PROVIDER_REFUSED, reply)


def content_refused(phase: str, reply: Reply) -> Answer:
    """Return the answer for a refused DATA, or a refused content: nothing was taken."""
    if not reply.permanent:
        return _not_processed(phase, reply)
    if reply.code in _UNAUTHENTICATED:
        return _not_processed(phase, reply, account_fault=True)
    if reply.enhanced in BAD_MAILBOX:
        return _refused(ErrorCode.BAD_DESTINATION, reply)
    return _refused(ErrorCode.PROVIDER_REFUSED, reply)


def _not_processed(phase: str, reply: Reply, *, account_fault: bool = False) -> NotProcessed:
    return NotProcessed(
        reason=f"{phase} refused", provider_code=reply.provider_code, account_fault=account_fault
    )


def _refused(error_code: ErrorCode, reply: Reply, *, everywhere: bool = False) -> Refused:
    return Refused(error_code=error_code, provider_code=reply.provider_code, everywhere=everywhere)
