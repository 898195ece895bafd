"""Inbound texts at Twilio: verifies the webhook's signature and parses the form.

Twilio signs with the account's secret in HMAC-SHA1: the configured URL followed by every field of
the form, sorted by name, each name followed by its value. It may add a port to the URL or omit it.
The form has no time, so the time of arrival is used.
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha1
from typing import Final
from urllib.parse import parse_qs, urlsplit

from providers.ports.messages import ForgedWebhook, InboundText, VerifyInbound, Webhook

SIGNATURE_HEADER: Final = "X-Twilio-Signature"

_PORTS: Final = {"https": 443, "http": 80}

_SIGNATURE: Final = re.compile(r"[A-Za-z0-9+/]{27}=", re.ASCII)
"""An HMAC-SHA1 in Base64."""

_MOST_FIELDS: Final = 200
"""Maximum fields of a form; a text with ten media has about 40."""


def inbound_verifier(token: str, url: str, clock: Callable[[], datetime]) -> VerifyInbound:
    """Return a function that verifies and parses the webhook of an inbound text.

    It raises ForgedWebhook when the signature is missing or wrong or there are too many fields, and
    KeyError for any other form. A form that is sent again has the same event id.

    Args:
        token: the account's secret.
        url: the webhook URL configured at Twilio.
        clock: the time now.
    """
    spellings = _spellings(url)

    async def read(webhook: Webhook) -> InboundText:
        body, given = webhook.body, webhook.headers.get(SIGNATURE_HEADER, "")
        # The endpoint is public: input that cannot be Twilio's is refused before it is parsed.
        if not _SIGNATURE.fullmatch(given) or body.count(b"&") >= _MOST_FIELDS:
            raise ForgedWebhook
        form = parse_qs(body.decode("ascii", "replace"), keep_blank_values=True)
        right = [
            hmac.compare_digest(signature(token, spelling, form), given) for spelling in spellings
        ]
        if not any(right):
            raise ForgedWebhook
        return InboundText(
            event_id=form["MessageSid"][0],
            sender=form.get("From", [""])[0],  # missing for a withheld number
            number=form["To"][0],
            body=form["Body"][0],
            sent_at=clock(),
        )

    return read


def signature(token: str, url: str, form: Mapping[str, Sequence[str]]) -> str:
    """Return Twilio's signature of a form posted to a URL; a repeated value counts once."""
    told = url + "".join(name + value for name in sorted(form) for value in sorted({*form[name]}))
    return b64encode(hmac.new(token.encode(), told.encode(), sha1).digest()).decode()


def _spellings(url: str) -> Sequence[str]:
    """Return a URL unchanged, without its port, and with its default port."""
    parts = urlsplit(url)
    place = parts.netloc.removesuffix(f":{parts.port}")
    port = parts.port or _PORTS.get(parts.scheme)
    places = (parts.netloc, place, f"{place}:{port}")
    return [parts._replace(netloc=netloc).geturl() for netloc in dict.fromkeys(places)]
