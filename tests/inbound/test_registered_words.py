"""Keywords and answers registered with a campaign apply to its numbers."""

from dataclasses import asdict

import pytest

from models.enums import InboundKind
from models.rules.registration.vocabulary import AssignmentState
from tests.inbound.harness import InboundHarness
from tests.inbound.registered_fixtures import PROFILE, register


async def own_number_of(
    inbound: InboundHarness, assignment: AssignmentState = AssignmentState.ASSIGNED
) -> str:
    """Return a number of the merchant, assigned to its campaign, that it has sent from."""
    number = await inbound.own_number()
    await register(inbound, number, assignment=assignment)
    return number


@pytest.mark.parametrize(
    "text",
    ["BAJA", "baja", "Baja.", "¡BAJA!", "SALIR", "S.A.L.I.R.", "baja, please", "BAJA BAJA", "STOP"],
)
async def test_a_registered_keyword_opts_out_with_the_registered_answer(
    inbound: InboundHarness, text: str
) -> None:
    number = await own_number_of(inbound)
    await inbound.texts(text, number=number)
    assert [status for status, _ in (await inbound.consents()).values()] == ["OPT_OUT"]
    assert [answer.body for answer in await inbound.answers()] == [PROFILE.opt_out_message]


@pytest.mark.parametrize("text", ["ALTA", "alta!", "START"])
async def test_a_registered_keyword_opts_back_in(inbound: InboundHarness, text: str) -> None:
    number = await own_number_of(inbound)
    await inbound.texts("SALIR", number=number)
    await inbound.texts(text, number=number)
    assert [status for status, _ in (await inbound.consents()).values()] == ["OPT_IN"]
    assert [answer.body for answer in await inbound.answers()] == [
        PROFILE.opt_out_message,
        PROFILE.opt_in_message,
    ]


@pytest.mark.parametrize("text", ["AYUDA", "ayuda?", "HELP", "INFO"])
async def test_a_registered_help_keyword_is_answered(inbound: InboundHarness, text: str) -> None:
    number = await own_number_of(inbound)
    await inbound.texts(text, number=number)
    assert await inbound.consents() == {}
    assert [answer.body for answer in await inbound.answers()] == [PROFILE.help_message]


async def test_a_campaign_without_an_opt_in_answer_gets_ours(inbound: InboundHarness) -> None:
    number = await inbound.own_number()
    await register(inbound, number, opt_in_keywords=(), opt_in_message=None)
    await inbound.texts("START", number=number)
    [answer] = await inbound.answers()
    assert answer.body.startswith("Gym A: You have opted back in.")


@pytest.mark.parametrize("text", ["BAJA de precios", "no salir", "ayuda mañana", "baja?1"])
async def test_a_registered_keyword_among_other_words_is_only_stored(
    inbound: InboundHarness, text: str
) -> None:
    number = await own_number_of(inbound)
    await inbound.texts(text, number=number)
    assert [row.kind for row in await inbound.stored()] == [InboundKind.OTHER]
    assert (await inbound.consents(), await inbound.answers()) == ({}, [])


async def test_the_keywords_of_a_campaign_apply_to_its_numbers_only(
    inbound: InboundHarness,
) -> None:
    await own_number_of(inbound)
    await inbound.writes()
    await inbound.texts("BAJA")
    assert [row.kind for row in await inbound.stored()] == [InboundKind.OTHER]


@pytest.mark.parametrize(
    ("assignment", "kind"),
    [
        (AssignmentState.PENDING, InboundKind.OPT_OUT),
        (AssignmentState.UNASSIGNING, InboundKind.OPT_OUT),
        (AssignmentState.UNASSIGN_FAILED, InboundKind.OPT_OUT),
        (AssignmentState.UNASSIGNED, InboundKind.OPT_OUT),
        (AssignmentState.FAILED, InboundKind.OTHER),
    ],
)
async def test_they_count_unless_the_number_never_was_the_campaigns(
    inbound: InboundHarness, assignment: AssignmentState, kind: InboundKind
) -> None:
    number = await own_number_of(inbound, assignment)
    await inbound.texts("BAJA", number=number)
    assert [row.kind for row in await inbound.stored()] == [kind]


EDITED = {
    "opt_out_keywords": ("STOP", "FUERA"),
    "opt_in_keywords": ("ALTA2",),
    "help_keywords": ("AUXILIO",),
    "opt_out_message": "Not approved.",
    "opt_in_message": "Not approved.",
    "help_message": "Not approved.",
}


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("BAJA", PROFILE.opt_out_message),
        ("FUERA", PROFILE.opt_out_message),
        ("ALTA", PROFILE.opt_in_message),
        ("AYUDA", PROFILE.help_message),
        ("HELP", PROFILE.help_message),
    ],
)
async def test_what_was_approved_counts_until_the_next_approval(
    inbound: InboundHarness, text: str, answer: str
) -> None:
    number = await inbound.own_number()
    await register(inbound, number, edited=EDITED)
    await inbound.texts(text, number=number)
    assert [row.body for row in await inbound.answers()] == [answer]


@pytest.mark.parametrize("text", ["ALTA2", "AUXILIO"])
async def test_keywords_that_were_not_approved_neither_opt_in_nor_get_help(
    inbound: InboundHarness, text: str
) -> None:
    number = await inbound.own_number()
    await register(inbound, number, edited=EDITED)
    await inbound.texts(text, number=number)
    assert (await inbound.consents(), await inbound.answers()) == ({}, [])


@pytest.mark.parametrize(
    ("text", "kind"), [("BAJA", "OPT_OUT"), ("ALTA", "OTHER"), ("AYUDA", "OTHER"), ("HELP", "HELP")]
)
async def test_of_a_campaign_that_never_was_approved_only_opt_outs_count(
    inbound: InboundHarness, text: str, kind: str
) -> None:
    number = await inbound.own_number()
    await register(inbound, number, edited={}, approved=False)
    await inbound.texts(text, number=number)
    assert [row.kind for row in await inbound.stored()] == [kind]
    assert [
        row.body for row in await inbound.answers() if row.body in asdict(PROFILE).values()
    ] == []


async def test_they_count_on_a_number_whose_assignment_was_lost_later(
    inbound: InboundHarness,
) -> None:
    number = await inbound.own_number()
    await register(inbound, number, assignment=AssignmentState.FAILED, assigned=True)
    await inbound.texts("BAJA", number=number)
    assert [row.kind for row in await inbound.stored()] == [InboundKind.OPT_OUT]
