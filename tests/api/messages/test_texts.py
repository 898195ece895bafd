"""Invisible texts, and characters that a subject, a name or speech must not contain."""

from typing import Any

import pytest

from tests.api.integrator import DIRECT, EMAIL, GYM, SMS, VOICE, Integrator

BLANK = [
    " ",
    "\t\r\n",
    "\u00a0\u2003\u3000",  # spaces of other widths
    "\u200b",  # zero width
    "\ufeff\u2060",
    "\u200e\u200f",  # direction marks
    "\u00ad",
    "\u200d\ufe0f",  # joiners of emoji, without an emoji
    "\u3164",  # Hangul filler
    "\u2800",  # Braille without dots
    "\u180e\u034f",
    "\u2028\u2029\u0085",
    "\x07\x1b",
    "\U000e0020\U000e0100",  # tags, variation selectors
]
SAYING = [".", "👍", "ok\u200b", "1️⃣", "例", "é", "e\u0301", "\u00a0.\u00a0", "؟"]
CONTROLS = [
    "one\ntwo",
    "one\r\ntwo",
    "one\ttwo",
    "one\x0btwo",
    "one\x0ctwo",
    "one\x1b[31mtwo",
    "one\x07",
    "one\x7ftwo",
    "one\u0085two",
    "one\x9btwo",
    "one\u2028two",
    "one\u2029two",
]
TEXTS: list[tuple[str, dict[str, Any], str]] = [
    ("/messages/sms", SMS, "message"),
    ("/messages/voice", VOICE, "text"),
    ("/voice/tts-calls", VOICE, "text"),
    ("/messages/email", EMAIL, "subject"),
    ("/messages/email", EMAIL, "body"),
    ("/email/send", DIRECT, "subject"),
    ("/email/send", DIRECT, "body"),
    ("/merchants", GYM, "displayName"),
    ("/merchants/gym-a/settings", {}, "helpText"),
]
ONE_LINE = [text for text in TEXTS if text[2] in ("text", "subject", "displayName")]


async def refused(gym: Integrator, path: str, body: dict[str, Any]) -> tuple[int, str, set[str]]:
    """Post and return status, code and the names of the invalid fields."""
    answer = await gym.post(path, body)
    problem = answer.json()
    fields = {error["field"] for error in problem.get("errors", [])}
    return answer.status_code, problem.get("code", ""), fields


@pytest.mark.parametrize(("path", "body", "field"), TEXTS)
async def test_a_text_without_a_visible_character_is_refused(
    gym: Integrator, path: str, body: dict[str, Any], field: str
) -> None:
    for blank in BLANK:
        told = await refused(gym, path, {**body, field: blank})
        assert told == (400, "VALIDATION_FAILED", {field}), repr(blank)
    assert (await gym.get("/messages")).json() == []


@pytest.mark.parametrize(("path", "body", "field"), TEXTS)
async def test_a_text_with_a_visible_character_is_taken(
    gym: Integrator, path: str, body: dict[str, Any], field: str
) -> None:
    for text in SAYING:
        answer = await gym.post(path, {**body, field: text})
        assert answer.status_code == 200, (text, answer.text)


@pytest.mark.parametrize(("path", "body", "field"), ONE_LINE)
async def test_control_characters_and_line_breaks_are_refused(
    gym: Integrator, path: str, body: dict[str, Any], field: str
) -> None:
    for text in CONTROLS:
        told = await refused(gym, path, {**body, field: text})
        assert told == (400, "VALIDATION_FAILED", {field}), repr(text)
    assert (await gym.get("/messages")).json() == []


async def test_a_text_message_and_a_mail_may_have_lines(gym: Integrator) -> None:
    assert (await gym.post("/messages/sms", {**SMS, "message": "one\ntwo"})).status_code == 200
    assert (await gym.post("/messages/email", {**EMAIL, "body": "<p>\n\tHi"})).status_code == 200


async def test_a_quote_refuses_what_a_send_refuses(gym: Integrator) -> None:
    body = {**SMS, "channel": "SMS", "message": "\u200b"}
    assert await refused(gym, "/messages/quote", body) == (400, "VALIDATION_FAILED", {"message"})
