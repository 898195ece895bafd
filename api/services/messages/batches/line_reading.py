"""Reads the lines of a batch as the bodies of single sends."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from api.http.bodies.body_size import EMAIL, SEND
from api.http.bodies.json_nodes import MOST_NODES
from api.http.bodies.strict_json import check_size, check_values, read
from api.http.idempotency import IdempotentRequest, canonical
from api.http.problems import invalid
from api.schemas.email import V1OmniEmailSendRequest
from api.schemas.messages import V1OmniSmsSendRequest
from api.schemas.voice import V1OmniVoiceSendRequest
from api.services.messages.drafts import Draft, email_draft, sms_draft, voice_draft
from models.enums import Channel
from models.errors import HexavoxError, PayloadTooLarge, ValidationFailed
from models.queries.messages.batches.pages import FoundBatch, StoredLine
from models.rules.consent.contact_keys import ContactKeys
from models.rules.messages.batches.keys import line_key
from models.rules.messages.operations import SEND_EMAIL, SEND_SMS, SEND_VOICE

_OWN_KEY: Final = "key"
_MERCHANT: Final = "merchantId"


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleSend:
    """The single send that has the same outcome as a line of one channel."""

    operation: str
    route: str
    most_bytes: int
    draft: Callable[[Any], Draft]
    """Returns the draft of a document; raises ValidationError and the errors of drafts."""


SINGLE_SENDS: Final[Mapping[Channel, SingleSend]] = {
    Channel.SMS: SingleSend(
        operation=SEND_SMS,
        route="POST /api/v1/messages/sms",
        most_bytes=SEND,
        draft=lambda document: sms_draft(V1OmniSmsSendRequest.model_validate(document)),
    ),
    Channel.VOICE: SingleSend(
        operation=SEND_VOICE,
        route="POST /api/v1/messages/voice",
        most_bytes=SEND,
        draft=lambda document: voice_draft(V1OmniVoiceSendRequest.model_validate(document)),
    ),
    Channel.EMAIL: SingleSend(
        operation=SEND_EMAIL,
        route="POST /api/v1/messages/email",
        most_bytes=EMAIL,
        draft=lambda document: email_draft(V1OmniEmailSendRequest.model_validate(document)),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLine:
    """A line with the identity of its single send, and either its draft or why it is refused."""

    line: int
    request: IdempotentRequest
    draft: Draft | None = None
    refused: HexavoxError | None = None


def read_line(batch: FoundBatch, stored: StoredLine, keys: ContactKeys) -> ReadLine:
    """Return a line as the single send with the same outcome, whose key and fingerprint it has.

    A key that is used in a batch and by a single send is one action.
    """
    single = SINGLE_SENDS[batch.channel]
    document: Any = None
    draft: Draft | None = None
    refused: HexavoxError | None = None
    try:
        document = _document(batch, stored, single)
        draft = _draft(single, document)
    except HexavoxError as error:
        refused = error
    request = IdempotentRequest(
        route=single.route,
        scope=batch.scope,
        key=line_key(batch.key_base, stored.line, stored.own_key),
        fingerprint=keys.fingerprint(canonical({}, document)),
    )
    return ReadLine(line=stored.line, request=request, draft=draft, refused=refused)


def _document(batch: FoundBatch, stored: StoredLine, single: SingleSend) -> dict[str, Any]:
    """Return the body of the single send."""
    body = stored.request.encode()
    if len(body) > single.most_bytes:
        raise PayloadTooLarge
    if len(body) > MOST_NODES:
        check_size(body)
    document: dict[str, Any] = read(body)
    document.pop(_OWN_KEY, None)
    if _MERCHANT in document:
        raise ValidationFailed(errors=((_MERCHANT, "is given once, for the whole batch"),))
    document[_MERCHANT] = batch.merchant
    return document


def _draft(single: SingleSend, document: dict[str, Any]) -> Draft:
    check_values(document)
    try:
        return single.draft(document)
    except ValidationError as error:
        entries = error.errors(include_url=False, include_input=False)
        raise invalid([{**entry, "loc": ("body", *entry["loc"])} for entry in entries]) from None
