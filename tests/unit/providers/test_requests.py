"""The provider request of a message of each channel."""

from dataclasses import replace
from datetime import UTC, datetime

from models.enums import Channel
from providers.message_requests import request_for
from providers.ports.messages import EmailRequest, Envelope, VoiceRequest

ENVELOPE = Envelope(
    to="ann@example.com",
    sender="no-reply@example.com",
    reference="hx-1-2-1",
    callback_url="http://us/webhooks/one/hx-1-2-1",
    not_after=datetime(2026, 11, 23, tzinfo=UTC),
)


def email(body: str = "<p>Hi</p>", text: str = "Hi", **details: object) -> EmailRequest:
    request = request_for(Channel.EMAIL, ENVELOPE, body, {"subject": "Hello", **details}, text)
    assert isinstance(request, EmailRequest)
    return request


def test_marketing_mail_can_be_unsubscribed_by_its_headers() -> None:
    # RFC 8058: both headers are required for the client to post.
    assert email(unsubscribeUrl="https://us/unsubscribe/t").headers == {
        "List-Unsubscribe": "<https://us/unsubscribe/t>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    assert email().headers == {}


def test_a_mail_carries_its_text_part_or_its_subject_if_it_says_nothing() -> None:
    assert email(text="Hi there").text == "Hi there"
    assert email('<img src="webhook_client.png">', text="").text == "Hello"


def test_one_mail_goes_to_all_its_recipients() -> None:
    assert email().recipients == ("ann@example.com",)
    both = email(to=["ann@example.com", "bob@example.com"])
    assert both.recipients == ("ann@example.com", "bob@example.com")


def test_a_call_carries_its_limits() -> None:
    details = {"record": True, "ringSeconds": 20, "longestSeconds": 120, "language": "en-US"}
    request = request_for(Channel.VOICE, ENVELOPE, "Hello", details, "")
    assert isinstance(request, VoiceRequest)
    assert (request.record, request.ring_seconds, request.longest_seconds) == (True, 20, 120)
    assert (request.language, request.voice) == ("en-US", None)


def test_nothing_private_shows_in_a_repr() -> None:
    shown = repr(email("<p>secret words</p>"))
    assert "ann@" not in shown
    assert "secret" not in shown
    assert "Hello" not in shown


def test_a_request_states_when_its_message_expires() -> None:
    assert request_for(Channel.SMS, ENVELOPE, "Hi", {}, "").valid_until is None
    until = datetime(2026, 11, 23, 0, 10, tzinfo=UTC)
    expiring = replace(ENVELOPE, valid_until=until)
    assert request_for(Channel.SMS, expiring, "Hi", {}, "").valid_until == until
    assert request_for(Channel.EMAIL, expiring, "Hi", {"subject": "x"}, "Hi").valid_until == until
