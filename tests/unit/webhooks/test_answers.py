"""What is kept of an answer: text that Postgres stores, and a wait of at most a day."""

from datetime import UTC, datetime, timedelta

import pytest

from models.rules.webhooks.answers import excerpt, parse_retry_after

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", ""),
        (b'{"ok": true}\r\n', '{"ok": true}\n'),
        (b"a\tb\nc\rd", "a\tb\nc\ufffdd"),
        (b"a\x00b\x1b[31m\x7f", "a\ufffdb\ufffd[31m\ufffd"),
        ("é\x85ü".encode(), "é\ufffdü"),
        (b"\xff\xfe\xed\xa0\x80", "\ufffd" * 5),
        (b"\x1f\x8b\x08\x00", "\ufffd\ufffd\ufffd\ufffd"),
        (b"x" * 2000, "x" * 1024),
        (b"x" * 1023 + "é".encode(), "x" * 1023 + "\ufffd"),
        (b"\x00" * 1024, "\ufffd" * 1024),
    ],
)
def test_an_excerpt_has_no_control_characters(body: bytes, text: str) -> None:
    assert excerpt(body) == text


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 120 ", 120),
        ("0000000000000120", 120),
        ("86400", 86400),
        ("86401", 86400),
        ("9" * 90, 86400),
        ("Mon, 30 Nov 2026 12:00:30 GMT", 30),
        ("Monday, 30-Nov-26 12:00:30 GMT", 30),
        ("Mon Nov 30 12:00:30 2026", 30),
        ("Mon, 30 Nov 2026 13:00:30 +0100", 30),
        ("Mon, 30 Nov 2026 11:59:59 GMT", 0),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86400),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: int) -> None:
    assert parse_retry_after(value, NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "-1", "+5", "1.5", "1e3", "0x10", "٣", "１２", "soon", "PT5S", "5 s", "1,2"),
        *("Mon, 99 Nov 2026 12:00:30 GMT", "Mon, 30 Nov 2026 99:00:30 GMT", "9" * 101),
        *("Mon, 30 Nov 99999999999 12:00:30 GMT", "\x00", "é", "2026-11-30T12:00:30Z"),
    ],
)
def test_another_value_says_nothing(value: str) -> None:
    assert parse_retry_after(value, NOW) is None
