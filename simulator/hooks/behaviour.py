"""How a receiver of webhooks answers, and the secrets by which it verifies."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from standardwebhooks import Webhook

from simulator.messages.submission import Malformed

MOST_SECRETS: Final = 5

_FIELDS: Final = {"mode", "status", "retryAfter", "times", "secret"}
_OF_MODE: Final = {"status", "retryAfter", "times"}
_SECRET: Final = re.compile(r"(?:whsec_)?[A-Za-z0-9+/]{1,256}={0,2}")
_LONGEST_RETRY_AFTER: Final = 86_400
_MOST_TIMES: Final = 1_000_000


class Mode(StrEnum):
    """What a receiver does with a webhook after it was stored."""

    OK = "ok"
    FAIL = "fail"
    HANG = "hang"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Answer:
    """The response to a webhook; without a status there is none."""

    status: int | None
    retry_after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """The behaviour of one receiver; the default is to accept everything unverified.

    Attributes:
        status: status of the response in mode `fail`.
        retry_after: seconds in its header Retry-After.
        times: webhooks left until the mode becomes `ok` again; None is for ever.
        secrets: secrets of Standard Webhooks; a signature by any of them is valid.
    """

    mode: Mode = Mode.OK
    status: int = 500
    retry_after: int | None = None
    times: int | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def answer(self) -> Answer:
        """The response to the next webhook."""
        match self.mode:
            case Mode.OK:
                return Answer(200)
            case Mode.FAIL:
                return Answer(self.status, self.retry_after)
            case Mode.HANG:
                return Answer(None)
            case Mode.GONE:
                return Answer(410)

    def after_answer(self) -> "Behaviour":
        """Return the behaviour after one more webhook was answered."""
        if self.times is None:
            return self
        if self.times <= 1:
            return Behaviour(secrets=self.secrets)
        return replace(self, times=self.times - 1)

    def changed(self, fields: Mapping[str, Any]) -> "Behaviour":
        """Return a copy with the named fields changed; a new mode has no fields of the old one.

        Raises:
            Malformed: an unknown field, a value out of its range, or one of another mode.
        """
        if unknown := fields.keys() - _FIELDS:
            raise Malformed(f"unknown field: {', '.join(sorted(unknown))}")
        secrets = _secrets(fields["secret"]) if "secret" in fields else self.secrets
        if "mode" in fields:
            return replace(_of_mode(fields), secrets=secrets)
        if fields.keys() & _OF_MODE:
            raise Malformed("status, retryAfter and times need a mode")
        return replace(self, secrets=secrets)

    def view(self) -> dict[str, Any]:
        """Return the JSON view, without the secrets."""
        return {
            "mode": self.mode,
            "status": self.answer.status,
            "retryAfter": self.retry_after,
            "times": self.times,
            "secrets": len(self.secrets),
        }

    def document(self) -> dict[str, Any]:
        """Return the JSON that `from_document` reads back unchanged."""
        return {
            "mode": self.mode,
            "status": self.status,
            "retryAfter": self.retry_after,
            "times": self.times,
            "secrets": list(self.secrets),
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "Behaviour":
        """Read back what `document` wrote."""
        return cls(
            mode=Mode(document["mode"]),
            status=document["status"],
            retry_after=document["retryAfter"],
            times=document["times"],
            secrets=tuple(document["secrets"]),
        )


def _of_mode(fields: Mapping[str, Any]) -> Behaviour:
    try:
        mode = Mode(fields["mode"])
    except ValueError:
        raise Malformed("mode must be ok, fail, hang or gone") from None
    if mode is not Mode.FAIL and fields.keys() & {"status", "retryAfter"}:
        raise Malformed("status and retryAfter belong to mode fail")
    if mode is Mode.OK and "times" in fields:
        raise Malformed("times belongs to mode fail, hang or gone")
    return Behaviour(
        mode=mode,
        status=_whole(fields, "status", 400, 599) or 500,
        retry_after=_whole(fields, "retryAfter", 0, _LONGEST_RETRY_AFTER),
        times=_whole(fields, "times", 1, _MOST_TIMES),
    )


def _whole(fields: Mapping[str, Any], name: str, least: int, most: int) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Malformed(f"{name} must be a whole number from {least} to {most}")
    return value


def _secrets(value: object) -> tuple[str, ...]:
    """Parse a secret, a list of them, or null; no message names a secret."""
    if value is None:
        return ()
    several = value if isinstance(value, list) else [value]
    secrets = tuple(item for item in several if isinstance(item, str) and _is_secret(item))
    if len(secrets) < len(several) or not 1 <= len(several) <= MOST_SECRETS:
        raise Malformed(
            f"secret must be null, whsec_ and base64, or a list of 1 to {MOST_SECRETS} of them"
        )
    return secrets


def _is_secret(text: str) -> bool:
    if not _SECRET.fullmatch(text):
        return False
    try:
        Webhook(text)
    except ValueError:
        return False
    return True
