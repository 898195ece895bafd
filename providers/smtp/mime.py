"""Builds an e-mail as the bytes that follow DATA. It takes CPU, so it runs in a thread."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from models.enums import ErrorCode
from providers.ports.messages import EmailRequest, Refused
from providers.smtp.account import DkimKey
from providers.smtp.addresses import wire_address

_POLICY: Final = SMTP.clone(cte_type="7bit")
"""7-bit content passes every relay unchanged, so the signature stays valid."""

_LONGEST_LINE: Final = 998
"""Characters of a line (RFC 5322, section 2.1.1)."""

_LONGEST_LEGIBLE: Final = 32_768
"""Bytes of a part that is not written in base64: the standard library is slow with lines."""

_SHORT_LINE: Final = 76
_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,76}", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

_OUR_HEADERS: Final = frozenset(
    {"from", "to", "cc", "bcc", "sender", "reply-to", "subject", "date", "message-id"}
    | {"mime-version", "content-type", "content-transfer-encoding"}
    | {"dkim-signature", "received", "return-path"}
)
"""Headers that a request cannot add."""

_SIGNED: Final = ("from", "to", "subject", "date", "message-id", "reply-to", "mime-version",
                  "content-type", "list-unsubscribe", "list-unsubscribe-post")  # fmt: skip
_SIGNED_AGAIN: Final = ("from", "to", "cc", "subject", "date", "message-id", "reply-to",
                        "content-type")  # fmt: skip
"""Listed once more than they occur, so that none can be added (RFC 6376, section 5.4.2)."""

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_LEADING_DOT: Final = re.compile(rb"^\.", re.MULTILINE)


class Unsendable(Exception):
    """The request cannot be written as an e-mail, by any relay."""

    def __init__(self, answer: Refused) -> None:
        super().__init__(answer.provider_code)
        self.answer = answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """An e-mail and its envelope, ready to be written."""

    sender: str = field(repr=False)
    recipients: tuple[str, ...] = field(repr=False)
    size: int
    content: bytes = field(repr=False)
    """With leading dots doubled and the final dot."""
    needs_utf8: bool
    """An address has a local part that is not ASCII: the relay must offer SMTPUTF8."""


def build_mail(
    request: EmailRequest, key: DkimKey | None, envelope_sender: str | None, now: datetime
) -> Mail:
    """Build the e-mail of a request, signed with its domain's key.

    Raises Unsendable.
    """
    recipients = tuple(_recipient(address) for address in request.recipients)
    sender = _own(request.sender)
    reply_to = None if request.reply_to is None else _own(request.reply_to)
    domain = sender.rpartition("@")[2]
    lines = [
        _addresses("From", (sender,)),
        _addresses("To", recipients),
        *([] if reply_to is None else [_addresses("Reply-To", (reply_to,))]),
        _subject(request.subject),
        f"Date: {format_datetime(now)}",
        f"Message-ID: <{_token(request.reference)}@{domain}>",
        *_added(request.headers),
    ]
    head = "".join(f"{line}\r\n" for line in lines).encode()
    message = head + _body(request)
    if key is not None:
        message = _signature(message, domain, key) + message
    addresses = (sender, *recipients, *([] if reply_to is None else [reply_to]))
    return Mail(
        sender=envelope_sender or sender,
        recipients=recipients,
        size=len(message),
        content=_LEADING_DOT.sub(b"..", message) + b".\r\n",
        needs_utf8=not all(address.isascii() for address in addresses),
    )


def _recipient(address: str) -> str:
    try:
        return wire_address(address)
    except ValueError:
        raise Unsendable(
            Refused(error_code=ErrorCode.BAD_DESTINATION, provider_code="address", everywhere=True)
        ) from None


def _own(address: str) -> str:
    try:
        return wire_address(address)
    except ValueError:
        raise _unprocessable("address") from None


def _unprocessable(what: str) -> Unsendable:
    return Unsendable(
        Refused(error_code=ErrorCode.UNPROCESSABLE, provider_code=what, everywhere=True)
    )


def _token(reference: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", reference, re.ASCII):
        raise _unprocessable("reference")
    return reference


def _addresses(name: str, addresses: tuple[str, ...]) -> str:
    """Return a header of addresses, each on a line of its own.

    `EmailMessage` would encode long addresses, which no mail system reads.
    """
    return f"{name}: " + ",\r\n ".join(addresses)


def _subject(subject: str) -> str:
    if _CONTROL.search(subject):
        raise _unprocessable("subject")
    plain = subject.isascii() and "=?" not in subject and subject == subject.strip()
    value = _folded(subject, "us-ascii" if plain else "utf-8")
    longest = _LONGEST_LINE - len("Subject: ")
    if any(len(line) > longest or not line.strip() for line in value.split("\r\n")):
        value = _folded(subject, "utf-8")
    return f"Subject: {value}"


def _folded(subject: str, charset: str) -> str:
    return Header(subject, charset, header_name="Subject").encode(linesep="\r\n")


def _added(headers: Mapping[str, str]) -> Iterator[str]:
    """Yield the request's own headers unchanged; folding would break the addresses in them."""
    for name, value in headers.items():
        line = f"{name}: {value}"
        sound = _NAME.fullmatch(name) and value.isascii() and not _CONTROL.search(value)
        if not sound or name.lower() in _OUR_HEADERS or len(line) > _LONGEST_LINE:
            raise _unprocessable("header")
        yield line


def _body(request: EmailRequest) -> bytes:
    """Return the remaining headers and both parts."""
    body = EmailMessage(policy=_POLICY)
    try:
        body.set_content(request.text, cte=_encoding(request.text))
        body.add_alternative(request.html, subtype="html", cte=_encoding(request.html))
    except UnicodeError:
        raise _unprocessable("text") from None
    return _LINE_END.sub(b"\r\n", body.as_bytes())


def _encoding(text: str) -> str:
    if len(text) > _LONGEST_LEGIBLE or not text.isascii():
        return "base64"
    # Only those of bytes end at CR and LF alone; a form feed ends no line of a mail.
    short = all(len(line) <= _SHORT_LINE for line in text.encode().splitlines())
    return "7bit" if short and "\0" not in text else "quoted-printable"


def _signature(message: bytes, domain: str, key: DkimKey) -> bytes:
    """Return the DKIM-Signature header (RFC 6376), relaxed in header and body."""
    import dkim  # here, because it takes long and most processes have no key

    signer = dkim.DKIM(message)
    present = [name.lower().decode() for name, _ in signer.headers]
    signed = [name for name in _SIGNED if name in present] + list(_SIGNED_AGAIN)
    header: bytes = signer.sign(
        key.selector.encode(),
        domain.encode(),
        key.pem,
        canonicalize=(b"relaxed", b"relaxed"),
        include_headers=signed,
    )
    return header
