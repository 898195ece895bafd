"""Verification of the simulator's signatures."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from providers.ports.messages import ForgedWebhook
from providers.simulator.messages import SIGNATURE_HEADER
from tests.unit.providers.simulated_report import BODY, REPORT, SECRET, read, read_one, signed


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=,v1=",
        "v1=00",
        "t={now}",
        "t={now},v1=ÿ\u20ac",
        "t={now},v1=é",
        "t=٣,v1=00",
        "t=" + "9" * 400 + ",v1=00",
        "t=" + "9" * 5000 + ",v1=00",
    ],
    ids=lambda header: repr(header[:20]),
)
async def test_a_header_that_is_no_signature_is_refused(header: str) -> None:
    now = str(int(time.time()))
    with pytest.raises(ForgedWebhook):
        await read({SIGNATURE_HEADER: header.replace("{now}", now)}, BODY)


async def test_a_missing_signature_is_refused() -> None:
    with pytest.raises(ForgedWebhook):
        await read({}, BODY)


@pytest.mark.parametrize(
    ("secret", "body", "seconds_off"),
    [
        ("another", BODY, 0),
        ("", BODY, 0),
        (SECRET, BODY + b" ", 0),
        (SECRET, BODY, -301),
        (SECRET, BODY, 310),
        (SECRET, BODY, 86_400),
    ],
)
async def test_a_forged_or_stale_signature_is_refused(
    secret: str, body: bytes, seconds_off: int
) -> None:
    headers = signed(body, at=time.time() + seconds_off, secret=secret)
    with pytest.raises(ForgedWebhook):
        await read(headers, BODY)


@pytest.mark.parametrize("seconds_off", [-290, 290])
async def test_a_clock_that_is_minutes_off_is_borne(seconds_off: int) -> None:
    headers = signed(BODY, at=time.time() + seconds_off)
    assert await read_one(headers, BODY) == REPORT


async def test_a_digest_is_compared_letter_by_letter() -> None:
    headers = {SIGNATURE_HEADER: signed(BODY)[SIGNATURE_HEADER].upper()}
    with pytest.raises(ForgedWebhook):
        await read(headers, BODY)


async def test_a_signature_does_not_fit_another_body_or_another_time() -> None:
    headers = signed(BODY)
    with pytest.raises(ForgedWebhook):
        await read(headers, BODY.replace(b"m1", b"m2"))
    moved = headers[SIGNATURE_HEADER].replace("t=", "t=0", 1)
    with pytest.raises(ForgedWebhook):
        await read({SIGNATURE_HEADER: moved}, BODY)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80), st.binary(max_size=80))
@example("t=1,v1=1", b"")
async def test_a_report_without_the_secret_is_refused(header: str, body: bytes) -> None:
    with pytest.raises(ForgedWebhook):
        await read({SIGNATURE_HEADER: header}, body)
