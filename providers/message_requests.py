"""Builds the provider request of a message."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from models.enums import Channel
from providers.ports.messages import EmailRequest, Envelope, SendRequest, SmsRequest, VoiceRequest


def request_for(
    channel: Channel, envelope: Envelope, body: str, details: Mapping[str, Any], text: str
) -> SendRequest:
    """Build the request of a message from its row and the fields of its channel.

    `text` is the text part of an e-mail. An empty one, such as that of a single image, is replaced
    by the subject: spam filters penalize an empty text part.
    """
    fields = _fields(envelope)
    if channel is Channel.EMAIL:
        return _email(fields, body, details, text or details["subject"])
    return _BUILDERS[channel](fields, body, details)


def _fields(envelope: Envelope) -> dict[str, Any]:
    return {
        "to": envelope.to,
        "sender": envelope.sender,
        "reference": envelope.reference,
        "callback_url": envelope.callback_url,
        "not_after": envelope.not_after,
        "valid_until": envelope.valid_until,
    }


def _sms(envelope: dict[str, Any], body: str, details: Mapping[str, Any]) -> SmsRequest:
    return SmsRequest(**envelope, body=body)


def _voice(envelope: dict[str, Any], body: str, details: Mapping[str, Any]) -> VoiceRequest:
    return VoiceRequest(
        **envelope,
        text=body,
        record=details["record"],
        ring_seconds=details["ringSeconds"],
        longest_seconds=details["longestSeconds"],
        language=details.get("language"),
        voice=details.get("voice"),
    )


def _email(
    envelope: dict[str, Any], body: str, details: Mapping[str, Any], text: str
) -> EmailRequest:
    unsubscribe = details.get("unsubscribeUrl")
    return EmailRequest(
        **envelope,
        recipients=tuple(details.get("to") or [envelope["to"]]),
        subject=details["subject"],
        html=body,
        text=text,
        reply_to=details.get("replyTo"),
        # RFC 8058: both headers are required for one-click unsubscribe.
        headers={}
        if unsubscribe is None
        else {
            "List-Unsubscribe": f"<{unsubscribe}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
    )


_BUILDERS: Final[dict[Channel, Callable[[dict[str, Any], str, Mapping[str, Any]], SendRequest]]] = {
    Channel.SMS: _sms,
    Channel.VOICE: _voice,
}
