"""The bytes of an e-mail: headers that cannot be injected, lines that every relay passes."""

import email as parser
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.enums import ErrorCode
from providers.ports.messages import EmailRequest, Refused
from providers.smtp.messages import Smtp
from providers.smtp.mime import Unsendable, build_mail
from tests.smtp.mails import email
from tests.smtp.scripted_relay import ScriptedRelay

NOON = datetime(2026, 4, 16, 12, tzinfo=UTC)


def built(request: EmailRequest) -> bytes:
    """Return what a receiver sees: without doubled dots and the final dot."""
    mail = build_mail(request, None, None, NOON)
    content = re.sub(rb"(?m)^\.\.", b".", mail.content.removesuffix(b".\r\n"))
    assert mail.size == len(content)
    return content


def parsed(request: EmailRequest) -> EmailMessage:
    message = parser.message_from_bytes(built(request), policy=default)
    assert isinstance(message, EmailMessage)
    return message


SUBJECTS = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=998
)


@given(SUBJECTS | st.text(' ab=?_"<>,;:ü', min_size=1, max_size=400))
def test_every_subject_arrives_as_it_was_given(subject: str) -> None:
    content = built(email(subject=subject))
    head = content.partition(b"\r\n\r\n")[0]
    assert parser.message_from_bytes(content, policy=default)["Subject"] == subject
    assert all(line.strip() and len(line) <= 998 for line in head.split(b"\r\n"))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_every_text_arrives_and_no_line_is_bare(text: str) -> None:
    content = built(email(text=text, html=text))
    lines = re.sub("\r\n|\r", "\n", text)
    ends = "" if lines.endswith("\n") else "\n"
    message = parser.message_from_bytes(content, policy=default)
    assert isinstance(message, EmailMessage)
    for part in message.iter_parts():
        assert part.get_content().replace("\r\n", "\n") == lines + ends
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", content)
    assert max(map(len, content.split(b"\r\n"))) <= 998


@pytest.mark.parametrize(
    "text",
    ["x" * 100_000, "a\n" * 50_000, "ü" * 50_000, "a b " * 50_000, "<p>\r\n" * 9000, "\0" * 40_000]
    + [("x" * 70 + end) * 100 for end in "\x0b\x0c\x1c\x1e\x85\u2028"],
)
def test_large_texts_have_short_lines(text: str) -> None:
    assert max(map(len, built(email(html=text)).split(b"\r\n"))) <= 998


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"subject": "Hi\r\nBcc: x@example.com"}, "subject"),
        ({"subject": "Hi\nBcc: x@example.com"}, "subject"),
        ({"subject": "Hi\rBcc: x@example.com"}, "subject"),
        ({"subject": "Hi\u2028Bcc: x@example.com"}, "subject"),
        ({"subject": "Hi\0"}, "subject"),
        ({"subject": "Hi\x85"}, "subject"),
        ({"subject": "\ud800"}, "subject"),
        ({"text": "\ud800"}, "text"),
        ({"html": "\ud800"}, "text"),
        ({"sender": "a@gym.example\r\nBcc: x@example.com"}, "address"),
        ({"reply_to": "a@gym.example\r\nBcc: x@example.com"}, "address"),
        ({"reply_to": "a@gym.example, x@example.com"}, "address"),
        ({"reference": "hx-1-2-3>\r\nBcc: x@example.com"}, "reference"),
        ({"headers": {"List-Unsubscribe": "<x>\r\nBcc: x@example.com"}}, "header"),
        ({"headers": {"List-Unsubscribe": "<ü>"}}, "header"),
        ({"headers": {"List-Unsubscribe": "x" * 1000}}, "header"),
        ({"headers": {"X: y\r\nBcc": "x@example.com"}}, "header"),
        ({"headers": {"Bcc": "x@example.com"}}, "header"),
        ({"headers": {"bcc": "x@example.com"}}, "header"),
        ({"headers": {"From": "x@example.com"}}, "header"),
        ({"headers": {"Content-Type": "text/plain"}}, "header"),
        ({"headers": {"": "x"}}, "header"),
    ],
)
def test_nothing_can_be_injected(change: dict[str, Any], what: str) -> None:
    with pytest.raises(Unsendable) as refused:
        build_mail(email(**change), None, None, NOON)
    assert refused.value.answer == Refused(
        error_code=ErrorCode.UNPROCESSABLE, provider_code=what, everywhere=True
    )


@pytest.mark.parametrize(
    "address", ["a b@example.com", "a@example.com>\r\nRCPT TO:<x@example.com", "a@b@c", "a"]
)
async def test_a_recipient_that_is_no_address_is_refused_unsent(
    smtp: Callable[..., Smtp], address: str
) -> None:
    async with ScriptedRelay() as relay:
        assert await smtp(relay.port).send(email("a@example.com", address)) == Refused(
            error_code=ErrorCode.BAD_DESTINATION, provider_code="address", everywhere=True
        )
        assert relay.connections == 0


@given(
    st.lists(
        st.from_regex(
            r"[a-z0-9+=_'!#]{1,31}(\.[a-z0-9+=_'!#]{1,32})?@[a-z]{1,60}(\.[a-z]{2,60}){1,2}",
            fullmatch=True,
        ),
        min_size=1,
        max_size=50,
    )
)
def test_every_recipient_arrives_in_the_header(addresses: list[str]) -> None:
    head = built(email(*addresses)).partition(b"\r\n\r\n")[0].decode()
    to = head.partition("\r\nTo: ")[2].partition("\r\nSubject: ")[0]
    assert to.split(",\r\n ") == addresses
    assert max(map(len, head.split("\r\n"))) <= 998


def test_parts_are_legible_where_the_text_is_ascii() -> None:
    message = parsed(email(text="Hello\n.\n..", html="<p>" + "x" * 200))
    encodings = [part["Content-Transfer-Encoding"] for part in message.iter_parts()]
    assert encodings == ["7bit", "quoted-printable"]
    assert message["Date"].datetime == NOON
