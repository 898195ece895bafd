"""Twilio's signature of webhooks, and the form in them.

Twilio signs with the account's secret in HMAC-SHA1: the URL with its query, followed by every field
of the form, sorted by name, each name followed by its value. It may add a port to the URL or omit
it.
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha1
from typing import Final, TypeAlias
from urllib.parse import parse_qs, urlsplit

from providers.ports.messages import ForgedWebhook, Webhook

SIGNATURE_HEADER: Final = "X-Twilio-Signature"

FormFields: TypeAlias = Mapping[str, Sequence[str]]

_PORTS: Final = {"https": 443, "http": 80}

_SIGNATURE: Final = re.compile(r"[A-Za-z0-9+/]{27}=", re.ASCII)
"""An HMAC-SHA1 in Base64."""

_MOST_FIELDS: Final = 200
"""Maximum fields of a form; a text with ten media has about 40."""


def signed_form(webhook: Webhook, url: str, tokens: Collection[str]) -> FormFields:
    """Return the form of a webhook that one of an account's secrets has signed.

    Args:
        webhook: as it was received.
        url: the address that Twilio was given, with its query.
        tokens: the account's secrets; during a change two are valid.

    Raises:
        ForgedWebhook: the signature is missing or wrong, or there are too many fields.
    """
    body, given = webhook.body, webhook.headers.get(SIGNATURE_HEADER, "")
    # The endpoint is public: input that cannot be Twilio's is refused before it is parsed.
    if not _SIGNATURE.fullmatch(given) or body.count(b"&") >= _MOST_FIELDS:
        raise ForgedWebhook
    form = parse_qs(body.decode("ascii", "replace"), keep_blank_values=True)
    right = [
        hmac.compare_digest(signature(token, spelling, form), given)
        for token in tokens
        for spelling in _spellings(url)
    ]
    if not any(right):
        raise ForgedWebhook
    return form


def signature(token: str, url: str, form: FormFields) -> str:
    """Return Twilio's signature of a form posted to a URL; a repeated value counts once."""
    told = url + "".join(name + value for name in sorted(form) for value in sorted({*form[name]}))
    return b64encode(hmac.new(token.encode(), told.encode(), sha1).digest()).decode()


def check_account(form: FormFields, sid: str) -> None:
    """Raise ForgedWebhook unless a form is of this account alone; one secret may sign for more."""
    if {*form.get("AccountSid", ())} != {sid}:
        raise ForgedWebhook


def first(form: FormFields, name: str) -> str | None:
    """Return the value of a field; None if it is missing."""
    return form[name][0] if name in form else None


def _spellings(url: str) -> Collection[str]:
    """Return a URL unchanged, without its port, and with its default port."""
    parts = urlsplit(url)
    place = parts.netloc.removesuffix(f":{parts.port}")
    port = parts.port or _PORTS.get(parts.scheme)
    others = [parts._replace(netloc=netloc).geturl() for netloc in (place, f"{place}:{port}")]
    return list(dict.fromkeys([url, *others]))
