"""What every adapter of SMS and e-mail must do, whatever becomes of its request.

`contract_vendors.VENDORS` lists the adapters.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from providers.ports.messages import (
    Accepted,
    Ambiguous,
    Found,
    Listed,
    LookUp,
    NotFound,
    NotProcessed,
    Proof,
    SendRequest,
    Unanswered,
)
from tests.vendors.contract_vendors import TIMEOUT, VENDORS, Opened, looked_up
from tests.vendors.counting_server import BROKEN, Behaviour


@pytest.fixture(scope="module", params=VENDORS)
async def opened(request: pytest.FixtureRequest) -> AsyncIterator[Opened]:
    """Each vendor in turn, one for all tests."""
    async with VENDORS[request.param]() as opened:
        yield opened


@pytest.fixture
def vendor(opened: Opened) -> Opened:
    """The vendor, reachable and counting from zero."""
    opened.line.behaviour = Behaviour.PASS
    opened.line.begun = opened.line.taken = 0
    return opened


async def look_up(
    vendor: Opened, request: SendRequest, began: datetime, known: str | None = None
) -> LookUp:
    vendor.line.behaviour = Behaviour.PASS
    return await vendor.adapter.look_up(looked_up(request, known, began))


def candidates(answer: LookUp) -> set[str]:
    """Return the messages that a look-up names."""
    match answer:
        case Found():
            return {answer.provider_message_id}
        case Listed():
            return {found.provider_message_id for found in answer.candidates}
        case _:
            return set()


async def test_an_accepted_message_is_found_by_its_id(vendor: Opened) -> None:
    request, began = vendor.request(), datetime.now(UTC)
    answer = await vendor.adapter.send(request)
    assert isinstance(answer, Accepted)
    assert vendor.line.taken == 1
    found = await look_up(vendor, request, began, answer.provider_message_id)
    if vendor.adapter.proof is Proof.NONE:
        assert not isinstance(found, Found | Listed)
    else:
        assert candidates(found) == {answer.provider_message_id}


async def test_every_message_has_an_id_of_its_own(vendor: Opened) -> None:
    request = vendor.request()
    again = replace(request, reference=vendor.request().reference)
    answers = [await vendor.adapter.send(one) for one in (request, again)]
    ids = {a.provider_message_id for a in answers if isinstance(a, Accepted)}
    assert len(ids) == vendor.line.taken == 2


@pytest.mark.parametrize("behaviour", BROKEN, ids=Behaviour.__str__)
async def test_a_call_makes_one_request_and_an_unclear_answer_is_ambiguous(
    vendor: Opened, behaviour: Behaviour
) -> None:
    vendor.line.behaviour = behaviour
    began = time.monotonic()
    answer = await vendor.adapter.send(vendor.request())
    await asyncio.sleep(0.05)
    assert vendor.line.begun == 1
    assert time.monotonic() - began < TIMEOUT.total_seconds() + 5
    if behaviour is Behaviour.UNAVAILABLE:  # some vendors answer 503 only before they act
        assert isinstance(answer, Ambiguous | NotProcessed)
    else:
        assert isinstance(answer, Ambiguous)


async def test_an_answer_lost_before_the_write_was_not_processed(vendor: Opened) -> None:
    await vendor.line.close()
    try:
        answer = await vendor.adapter.send(vendor.request())
    finally:
        await vendor.line.open()
    assert isinstance(answer, NotProcessed)
    assert not answer.account_fault
    assert (vendor.line.begun, vendor.line.taken) == (0, 0)


async def test_an_answer_lost_during_the_write_is_not_found_later(vendor: Opened) -> None:
    vendor.line.behaviour = Behaviour.RESET_WRITE
    request, began = vendor.request(), datetime.now(UTC)
    assert isinstance(await vendor.adapter.send(request), Ambiguous)
    assert vendor.line.taken == 0
    assert candidates(await look_up(vendor, request, began)) == set()


@pytest.mark.parametrize("behaviour", [Behaviour.LOST, Behaviour.UNREADABLE], ids=Behaviour.__str__)
async def test_an_answer_lost_after_the_write_is_found_later(
    vendor: Opened, behaviour: Behaviour
) -> None:
    vendor.line.behaviour = behaviour
    request, began = vendor.request(), datetime.now(UTC)
    assert isinstance(await vendor.adapter.send(request), Ambiguous)
    assert vendor.line.taken == 1
    found = candidates(await look_up(vendor, request, began))
    assert len(found) == (0 if vendor.adapter.proof is Proof.NONE else 1)


async def test_after_the_deadline_no_byte_is_written(vendor: Opened) -> None:
    late = replace(vendor.request(), not_after=datetime.now(UTC) - timedelta(milliseconds=1))
    assert isinstance(await vendor.adapter.send(late), NotProcessed)
    await asyncio.sleep(0.05)
    assert vendor.line.begun == 0


async def test_after_the_deadline_no_byte_is_written_to_an_open_connection(vendor: Opened) -> None:
    assert isinstance(await vendor.adapter.send(vendor.request()), Accepted)
    late = replace(vendor.request(), not_after=datetime.now(UTC) - timedelta(milliseconds=1))
    assert isinstance(await vendor.adapter.send(late), NotProcessed)
    await asyncio.sleep(0.05)
    assert vendor.line.taken == 1


async def test_a_fault_of_the_account_fails_no_message(vendor: Opened) -> None:
    answer = await vendor.refused.send(vendor.request())
    assert isinstance(answer, NotProcessed)
    assert answer.account_fault
    assert vendor.line.taken == 0


async def test_equal_texts_with_both_answers_lost_are_two_messages(vendor: Opened) -> None:
    began = datetime.now(UTC)
    first = vendor.request()
    second = replace(first, reference=vendor.request().reference)
    for request in (first, second):
        vendor.line.behaviour = Behaviour.LOST
        assert isinstance(await vendor.adapter.send(request), Ambiguous)
    assert vendor.line.taken == 2
    answers = [await look_up(vendor, request, began) for request in (first, second)]
    one, other = map(candidates, answers)
    match vendor.adapter.proof:
        case Proof.REFERENCE:
            assert (len(one), len(other), len(one | other)) == (1, 1, 2)
        case Proof.LISTING:
            assert all(isinstance(answer, Listed) for answer in answers)
            assert len(one) == 2
            assert one == other
        case Proof.NONE:
            assert one == other == set()


async def test_a_message_that_was_never_sent_is_not_found(vendor: Opened) -> None:
    answer = await look_up(vendor, vendor.request(), datetime.now(UTC))
    assert candidates(answer) == set()
    if vendor.adapter.proof is not Proof.NONE:
        assert isinstance(answer, NotFound | Listed)


@pytest.mark.parametrize("behaviour", BROKEN, ids=Behaviour.__str__)
async def test_a_look_up_that_fails_says_nothing_and_is_not_repeated(
    vendor: Opened, behaviour: Behaviour
) -> None:
    request, began = vendor.request(), datetime.now(UTC)
    vendor.line.behaviour = behaviour
    start = time.monotonic()
    answer = await vendor.adapter.look_up(looked_up(request, None, began))
    assert isinstance(answer, Unanswered)
    assert vendor.line.begun <= 1
    assert time.monotonic() - start < TIMEOUT.total_seconds() + 5


async def test_a_cancelled_call_is_no_answer(vendor: Opened) -> None:
    vendor.line.behaviour = Behaviour.HANG
    call = asyncio.ensure_future(vendor.adapter.send(vendor.request()))
    while vendor.line.begun == 0:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
