"""Parses and validates the body of `POST /messages`.

Unknown fields are ignored, as vendors do. An invalid field makes the request `Malformed` (400); a
destination that is neither a number nor an address makes it a `BadDestination` (422).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from simulator.messages.vocabulary import Channel

_NUMBER = re.compile(r"\+[1-9]\d{6,14}")
_ADDRESS = re.compile(r"[^@\s\x00-\x1f\x7f\ud800-\udfff]+@[^@\s\x00-\x1f\x7f\ud800-\udfff]+")
_URL = re.compile(r"[!-~]+")

DEFAULT_RING_SECONDS = 60
DEFAULT_MAX_DURATION_SECONDS = 4 * 60 * 60


class Malformed(ValueError):
    """The request is invalid; the text names the field and the reason."""


class BadDestination(ValueError):
    """`to` is neither a telephone number in E.164 form nor an e-mail address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One valid request to send."""

    channel: Channel
    to: tuple[str, ...]
    sender: str
    body: str
    reference: str
    callback_url: str
    not_after: datetime
    subject: str | None = None
    reply_to: str | None = None
    html: str | None = None
    headers: Mapping[str, str] | None = None
    record: bool = False
    timeout_seconds: int = DEFAULT_RING_SECONDS
    max_duration_seconds: int = DEFAULT_MAX_DURATION_SECONDS

    @property
    def content(self) -> str:
        """The content that the recipient gets; of an e-mail, subject and body."""
        if self.channel is not Channel.EMAIL:
            return self.body
        return f"{self.subject or ''}\n\n{self.body or self.html or ''}"

    def document(self) -> dict[str, Any]:
        """Return the JSON that `parse_submission` reads back unchanged."""
        document: dict[str, Any] = {
            "channel": self.channel,
            "to": list(self.to) if self.channel is Channel.EMAIL else self.to[0],
            "from": self.sender,
            "body": self.body,
            "reference": self.reference,
            "callbackUrl": self.callback_url,
            "notAfter": self.not_after.isoformat(),
        }
        if self.channel is Channel.EMAIL:
            document |= {
                "subject": self.subject,
                "replyTo": self.reply_to,
                "html": self.html,
                "headers": self.headers,
            }
        if self.channel is Channel.VOICE:
            document |= {
                "record": self.record,
                "timeoutSeconds": self.timeout_seconds,
                "maxDurationSeconds": self.max_duration_seconds,
            }
        return document


def parse_submission(fields: Mapping[str, Any]) -> Submission:
    """Parse the fields of a decoded JSON body.

    Raises:
        Malformed: a field is missing or invalid.
        BadDestination: `to` is not valid for this channel.
    """
    channel = _channel(fields)
    html = optional_text(fields, "html")
    return Submission(
        channel=channel,
        to=_destinations(channel, fields.get("to")),
        sender=required_text(fields, "from"),
        body=_body(fields, may_be_empty=html is not None),
        reference=required_text(fields, "reference"),
        callback_url=required_url(fields, "callbackUrl"),
        not_after=_moment(fields, "notAfter"),
        subject=optional_text(fields, "subject"),
        reply_to=optional_text(fields, "replyTo"),
        html=html,
        headers=_headers(fields),
        record=_flag(fields, "record"),
        timeout_seconds=_count(fields, "timeoutSeconds", DEFAULT_RING_SECONDS),
        max_duration_seconds=_count(fields, "maxDurationSeconds", DEFAULT_MAX_DURATION_SECONDS),
    )


def decode(body: bytes) -> dict[str, Any]:
    """Decode a body; it must be a JSON object."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise Malformed("the body is not JSON") from None
    if not isinstance(document, dict):
        raise Malformed("the body must be a JSON object")
    return document


def parse_limit(limit: str | None) -> int | None:
    """Parse a query's `limit`, the maximum number of items."""
    if limit is None:
        return None
    if not (limit.isascii() and limit.isdigit()) or len(limit) > 9:
        raise Malformed("limit must be a whole number")
    return int(limit)


def required_text(fields: Mapping[str, Any], name: str) -> str:
    """Read a field that must hold a non-empty string."""
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise Malformed(f"{name} must be a non-empty string")
    return value


def optional_text(fields: Mapping[str, Any], name: str) -> str | None:
    """Read a field that may be absent, null or a string."""
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value
    raise Malformed(f"{name} must be a string or null")


def required_url(fields: Mapping[str, Any], name: str) -> str:
    """Read a field that must hold an absolute http or https address."""
    value = required_text(fields, name)
    try:
        parts = urlsplit(value)
        understood = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        understood = False
    if not understood or not _URL.fullmatch(value):
        raise Malformed(f"{name} must be an absolute http(s) URL")
    return value


def _channel(fields: Mapping[str, Any]) -> Channel:
    try:
        return Channel(fields.get("channel", ""))
    except ValueError:
        raise Malformed("channel must be SMS, VOICE or EMAIL") from None


def _destinations(channel: Channel, value: object) -> tuple[str, ...]:
    several = value if isinstance(value, list) and channel is Channel.EMAIL else [value]
    destinations = tuple(item for item in several if isinstance(item, str) and item)
    if not several or len(destinations) < len(several):
        raise Malformed("to must be a non-empty string (for EMAIL also a list of them)")
    shape = _ADDRESS if channel is Channel.EMAIL else _NUMBER
    if not all(shape.fullmatch(destination) for destination in destinations):
        raise BadDestination("to is not a valid destination for this channel")
    return destinations


def _body(fields: Mapping[str, Any], *, may_be_empty: bool) -> str:
    if may_be_empty:
        return optional_text(fields, "body") or ""
    return required_text(fields, "body")


def _moment(fields: Mapping[str, Any], name: str) -> datetime:
    text = required_text(fields, name)
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Malformed(f"{name} must be an ISO 8601 time with an offset")


def _headers(fields: Mapping[str, Any]) -> Mapping[str, str] | None:
    value = fields.get("headers")
    if value is None:
        return None
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise Malformed("headers must be an object of strings or null")
    return value


def _flag(fields: Mapping[str, Any], name: str) -> bool:
    value = fields.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise Malformed(f"{name} must be true or false")
    return value


def _count(fields: Mapping[str, Any], name: str, default: int) -> int:
    value = fields.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise Malformed(f"{name} must be a positive whole number")
    return value
