"""Texts to numbers at Twilio: the webhook's signature, and what it says.

Twilio signs with the account's secret, in HMAC-SHA1, the address it was told followed by every
field of the form, sorted by name, each name followed by its value. It may leave a port out of the
address or put one in. When a text was sent it does not tell: that is when it came.
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha1
from typing import Final
from urllib.parse import parse_qs, urlsplit

from providers.ports.messages import ForgedWebhook, InboundText

SIGNATURE_HEADER: Final = "X-Twilio-Signature"

_PORTS: Final = {"https": 443, "http": 80}

_SIGNATURE: Final = re.compile(r"[A-Za-z0-9+/]{27}=", re.ASCII)
"""How an HMAC-SHA1 is written in Base64."""

_MOST_FIELDS: Final = 200
"""A text with ten media has about 40."""


def inbound_verifier(
    token: str, url: str, clock: Callable[[], datetime]
) -> Callable[[Mapping[str, str], bytes], InboundText]:
    """Return how to verify and read the webhook of an inbound text.

    It raises ForgedWebhook when the signature is missing or wrong or there are too many fields, and
    KeyError for a form that is something else. A form that is sent again is known by its id.

    Args:
        token: the account's secret.
        url: where Twilio was told to post.
        clock: the time now.
    """
    spellings = _spellings(url)

    def read(headers: Mapping[str, str], body: bytes) -> InboundText:
        given = headers.get(SIGNATURE_HEADER, "")
        # Anybody may post here: nothing is parsed that cannot be Twilio's.
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
            sender=form.get("From", [""])[0],  # a withheld number may be left out
            number=form["To"][0],
            body=form["Body"][0],
            sent_at=clock(),
        )

    return read


def signature(token: str, url: str, form: Mapping[str, Sequence[str]]) -> str:
    """Return how Twilio signs a form that it posts to an address; a repeated value counts once."""
    told = url + "".join(name + value for name in sorted(form) for value in sorted({*form[name]}))
    return b64encode(hmac.new(token.encode(), told.encode(), sha1).digest()).decode()


def _spellings(url: str) -> Sequence[str]:
    """Return an address as it is, without its port, and with the port it means."""
    parts = urlsplit(url)
    place = parts.netloc.removesuffix(f":{parts.port}")
    port = parts.port or _PORTS.get(parts.scheme)
    places = (parts.netloc, place, f"{place}:{port}")
    return [parts._replace(netloc=netloc).geturl() for netloc in dict.fromkeys(places)]
