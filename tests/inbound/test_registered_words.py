"""Keywords and answers registered with a campaign count on its numbers."""

import pytest

from models.enums import InboundKind
from models.rules.registration.vocabulary import AssignmentState
from tests.inbound.harness import Line
from tests.inbound.registered_fixtures import PROFILE, register


async def own_line(line: Line, assignment: AssignmentState = AssignmentState.ASSIGNED) -> str:
    """Return a number of the merchant, assigned to its campaign, from which it wrote."""
    number = await line.own_number()
    await register(line, number, assignment=assignment)
    return number


@pytest.mark.parametrize(
    "text",
    ["BAJA", "baja", "Baja.", "¡BAJA!", "SALIR", "S.A.L.I.R.", "baja, please", "BAJA BAJA", "STOP"],
)
async def test_a_registered_word_opts_out_with_the_registered_answer(line: Line, text: str) -> None:
    number = await own_line(line)
    await line.texts(text, number=number)
    assert [status for status, _ in (await line.consents()).values()] == ["OPT_OUT"]
    assert [answer.body for answer in await line.answers()] == [PROFILE.opt_out_message]


@pytest.mark.parametrize("text", ["ALTA", "alta!", "START"])
async def test_a_registered_word_opts_back_in(line: Line, text: str) -> None:
    number = await own_line(line)
    await line.texts("SALIR", number=number)
    await line.texts(text, number=number)
    assert [status for status, _ in (await line.consents()).values()] == ["OPT_IN"]
    assert [answer.body for answer in await line.answers()] == [
        PROFILE.opt_out_message,
        PROFILE.opt_in_message,
    ]


@pytest.mark.parametrize("text", ["AYUDA", "ayuda?", "HELP", "INFO"])
async def test_a_registered_word_asks_for_help(line: Line, text: str) -> None:
    number = await own_line(line)
    await line.texts(text, number=number)
    assert await line.consents() == {}
    assert [answer.body for answer in await line.answers()] == [PROFILE.help_message]


async def test_a_campaign_without_an_opt_in_answer_gets_ours(line: Line) -> None:
    number = await line.own_number()
    await register(line, number, opt_in_keywords=(), opt_in_message=None)
    await line.texts("START", number=number)
    [answer] = await line.answers()
    assert answer.body.startswith("Gym A: You have opted back in.")


@pytest.mark.parametrize("text", ["BAJA de precios", "no salir", "ayuda mañana", "baja?1"])
async def test_a_registered_word_among_others_is_left_to_be_read(line: Line, text: str) -> None:
    number = await own_line(line)
    await line.texts(text, number=number)
    assert [row.kind for row in await line.stored()] == [InboundKind.OTHER]
    assert (await line.consents(), await line.answers()) == ({}, [])


async def test_the_words_of_a_campaign_count_on_its_numbers_alone(line: Line) -> None:
    await own_line(line)
    await line.writes()
    await line.texts("BAJA")
    assert [row.kind for row in await line.stored()] == [InboundKind.OTHER]


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
    line: Line, assignment: AssignmentState, kind: InboundKind
) -> None:
    number = await own_line(line, assignment)
    await line.texts("BAJA", number=number)
    assert [row.kind for row in await line.stored()] == [kind]
