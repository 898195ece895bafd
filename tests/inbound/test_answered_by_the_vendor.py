"""Texts that Twilio has answered itself: obeyed like any other, and not answered again."""

import random
from dataclasses import dataclass
from itertools import product
from typing import Any
from uuid import uuid4

import pytest

from models.enums import ErrorCode
from providers.ports.messages import Refused
from tests.factories import make_owner
from tests.inbound.harness import InboundHarness

OPTED_OUT = Refused(error_code=ErrorCode.OPTED_OUT, provider_code="21610", everywhere=True)

TYPES = {"STOP": "STOP", "stop ": "STOP", "START": "START", "HELP": "HELP"}
"""Text → Twilio's OptOutType; other texts have none."""

TEXTS = ["STOP", "START", "HELP", "Please stop", "Thanks!"]


@dataclass(frozen=True)
class Outcome:
    """What a sequence of texts has changed, without the ids of rows."""

    consents: list[tuple[str, str]]
    suppressions: list[str]
    history: list[tuple[str, str]]
    kinds: list[str]


async def tells(inbound: InboundHarness, body: str, *, answered: bool, **fields: str) -> None:
    if answered and body in TYPES:
        fields = {"OptOutType": TYPES[body], **fields}
    response = await inbound.twilio_tells(body, event_id=f"SM{uuid4().hex}", **fields)
    assert response.status_code == 204


async def outcome(inbound: InboundHarness) -> Outcome:
    """Return what has changed; the number's own name in sources is left out."""
    sources = [(s, source.rpartition(":")[0]) for s, source in (await inbound.consents()).values()]
    return Outcome(
        consents=sources,
        suppressions=[reason for _, reason in await inbound.suppressions()],
        history=[(s, source.rpartition(":")[0]) for _, s, source in await inbound.history()],
        kinds=[row.kind for row in await inbound.stored()],
    )


async def new_harness(inbound: InboundHarness) -> InboundHarness:
    """Return another tenant, one of whose merchants has written to the contact."""
    owner = await make_owner(inbound.database)
    other = InboundHarness(inbound.database, owner, inbound.client, inbound.started)
    await other.writes()
    return other


@pytest.mark.parametrize(("body", "status"), [("STOP", "OPT_OUT"), ("stop ", "OPT_OUT")])
async def test_a_stop_that_twilio_answered_is_obeyed_and_not_answered(
    inbound: InboundHarness, body: str, status: str
) -> None:
    await inbound.writes()
    await tells(inbound, body, answered=True)
    source = f"sms:STOP:{inbound.owner.sender}"
    assert await inbound.consents() == {inbound.owner.merchant_id: (status, source)}
    assert [row.kind for row in await inbound.stored()] == ["OPT_OUT"]
    assert (await inbound.answers(), inbound.starts()) == ([], [])


@pytest.mark.parametrize("body", ["STOP", "HELP"])
async def test_a_keyword_that_twilio_did_not_answer_is_answered_by_us(
    inbound: InboundHarness, body: str
) -> None:
    await inbound.writes()
    await tells(inbound, body, answered=False)
    assert len(await inbound.answers()) == len(inbound.starts()) == 1


async def test_help_that_twilio_answered_is_stored_only(inbound: InboundHarness) -> None:
    await inbound.writes()
    await tells(inbound, "HELP", answered=True)
    assert [row.kind for row in await inbound.stored()] == ["HELP"]
    assert (await inbound.answers(), await inbound.history()) == ([], [])


async def test_a_start_that_twilio_answered_lifts_what_its_stop_left(
    inbound: InboundHarness,
) -> None:
    await inbound.writes(None, OPTED_OUT)
    assert await inbound.suppressions() == {(inbound.owner.merchant_id, "CARRIER_OPT_OUT")}
    await tells(inbound, "START", answered=True)
    assert await inbound.suppressions() == set()
    assert await inbound.answers() == []


@pytest.mark.parametrize("word", ["ARRET", "BASTA", "nein danke"])
async def test_a_word_that_is_configured_at_twilio_opts_out_here_too(
    inbound: InboundHarness, word: str
) -> None:
    await inbound.writes()
    await tells(inbound, word, answered=True, OptOutType="STOP")
    [(status, source)] = (await inbound.consents()).values()
    assert (status, source) == ("OPT_OUT", f"sms:STOP:{inbound.owner.sender}")
    await tells(inbound, "RETOUR", answered=True, OptOutType="START")
    assert [status for status, _ in (await inbound.consents()).values()] == ["OPT_IN"]
    assert await inbound.answers() == []


@pytest.mark.parametrize(
    ("body", "type"), [("STOP", "START"), ("STOP", "HELP"), ("START", "STOP"), ("HELP", "STOP")]
)
async def test_an_opt_out_takes_precedence_whoever_reads_it(
    inbound: InboundHarness, body: str, type: str
) -> None:
    await inbound.writes()
    await tells(inbound, body, answered=True, OptOutType=type)
    assert [status for status, _ in (await inbound.consents()).values()] == ["OPT_OUT"]


@pytest.mark.parametrize("type", ["", "STOPPED", "stop", "OTHER"])
async def test_another_type_answers_nothing(inbound: InboundHarness, type: str) -> None:
    await inbound.writes()
    await tells(inbound, "STOP", answered=False, OptOutType=type)
    assert len(await inbound.answers()) == 1


_RANDOM = random.Random(14)
SEQUENCES: list[tuple[Any, ...]] = [
    *product(TEXTS, repeat=2),
    *(tuple(_RANDOM.choices(TEXTS, k=5)) for _ in range(10)),
]


@pytest.mark.parametrize("texts", SEQUENCES, ids=",".join)
async def test_consent_changes_the_same_whoever_answers(
    inbound: InboundHarness, texts: tuple[str, ...]
) -> None:
    ours, theirs = await new_harness(inbound), await new_harness(inbound)
    for body in texts:
        await tells(ours, body, answered=False)
        await tells(theirs, body, answered=True)
    assert await outcome(ours) == await outcome(theirs)
    assert len(await theirs.answers()) <= texts.count("Please stop")
