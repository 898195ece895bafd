"""A webhook that a receiver got: its verification, its JSON view, its document."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from standardwebhooks import Webhook, WebhookVerificationError
from starlette.datastructures import Headers

from simulator.clock import iso
from simulator.messages.submission import Malformed

ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"
LONGEST_HEADER: Final = 4096
"""Characters of one of the three headers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingWebhook:
    """The part of a request that is stored; a missing header is None."""

    webhook_id: str | None
    timestamp: str | None
    signature: str | None
    body: bytes

    @classmethod
    def from_request(cls, headers: Headers, body: bytes) -> Self:
        """Take what is stored from a request.

        Raises:
            Malformed: a header is too long.
        """
        for name in (ID, TIMESTAMP, SIGNATURE):
            if len(headers.get(name, "")) > LONGEST_HEADER:
                raise Malformed(f"{name} has more than {LONGEST_HEADER} characters")
        return cls(
            webhook_id=headers.get(ID),
            timestamp=headers.get(TIMESTAMP),
            signature=headers.get(SIGNATURE),
            body=body,
        )

    def verification_error(self, secrets: Sequence[str]) -> str | None:
        """Return why no secret of one or more verifies the signature; None if one does."""
        errors = [self._verification_error(secret) for secret in secrets]
        return None if None in errors else errors[-1]

    def _verification_error(self, secret: str) -> str | None:
        headers = {ID: self.webhook_id, TIMESTAMP: self.timestamp, SIGNATURE: self.signature}
        given = {name: value for name, value in headers.items() if value is not None}
        try:
            Webhook(secret).verify(self.body, given, json_parse=False)
        except WebhookVerificationError as error:
            return str(error)
        except UnicodeDecodeError:
            return "The body is not UTF-8"
        except ValueError:  # the library does not catch errors of its parsing
            return "Malformed signature header"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedWebhook:
    """One stored webhook.

    Attributes:
        hook: name of the receiver.
        number: counts the webhooks of the receiver from 1.
        body: the text as received; U+FFFD replaces what is not UTF-8.
        verified: None if the receiver had no secret.
        status: status of the response; None if there was none.
    """

    hook: str
    number: int
    webhook_id: str | None
    timestamp: str | None
    signature: str | None
    body: str
    received_at: datetime
    verified: bool | None
    verification_error: str | None
    status: int | None

    @property
    def key(self) -> str:
        """Id in the journal."""
        return f"{self.hook}/{self.number}"

    def view(self) -> bytes:
        """Return the JSON view; `json` is the body itself if it is JSON, else null."""
        view = {
            "number": self.number,
            "receivedAt": iso(self.received_at),
            "webhookId": self.webhook_id,
            "webhookTimestamp": self.timestamp,
            "webhookSignature": self.signature,
            "verified": self.verified,
            "verificationError": self.verification_error,
            "status": self.status,
            "body": self.body,
        }
        decoded = self.body if _is_json(self.body) else "null"
        return f'{json.dumps(view, separators=(",", ":"))[:-1]},"json":{decoded}}}'.encode()

    def document(self) -> dict[str, Any]:
        """Return the JSON that `from_document` reads back unchanged."""
        return {
            "hook": self.hook,
            "number": self.number,
            "webhookId": self.webhook_id,
            "timestamp": self.timestamp,
            "signature": self.signature,
            "body": self.body,
            "receivedAt": self.received_at.isoformat(),
            "verified": self.verified,
            "verificationError": self.verification_error,
            "status": self.status,
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self:
        """Read back what `document` wrote."""
        return cls(
            hook=document["hook"],
            number=document["number"],
            webhook_id=document["webhookId"],
            timestamp=document["timestamp"],
            signature=document["signature"],
            body=document["body"],
            received_at=datetime.fromisoformat(document["receivedAt"]),
            verified=document["verified"],
            verification_error=document["verificationError"],
            status=document["status"],
        )


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(constant: str) -> None:
    """Refuse NaN and Infinity, which Python reads and JSON does not have."""
    raise ValueError(constant)
