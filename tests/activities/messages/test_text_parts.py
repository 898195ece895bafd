"""Text parts are generated before the claim, off the event loop, with turns per merchant."""

import asyncio
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from activities.messages.text_parts import NeedsTextPart, TextParts
from models.enums import Channel, MessageStatus
from models.session import Database
from providers.email_text.text_part import QUICK
from providers.ports.messages import EmailRequest
from tests.activities.doubles import Scripted
from tests.activities.harness import Harness
from tests.factories import Owner, make_message, make_owner, new_message
from workflows.messages.types import DispatchStep, Verdict

WIDE_CELL = (
    "<table><tr><td>"
    + "lorem ipsum " * 18300
    + "</td></tr>"
    + "<tr><td>b</td></tr>" * 2200
    + "</table>"
)
PADDED = '<div style="padding-left:99999em">' + "x<br>" * 1000 + "</div>"


class Slow:
    """A conversion that runs until it is told to end, and records its input."""

    def __init__(self) -> None:
        self.given: list[str] = []
        self.may_end = threading.Semaphore(0)
        self._begun = threading.Semaphore(0)

    def __call__(self, html: str) -> str:
        self.given.append(html)
        self._begun.release()
        assert self.may_end.acquire(timeout=60)
        return html.upper()

    async def has_begun(self) -> None:
        assert await asyncio.to_thread(self._begun.acquire, timeout=30)


async def mail(database: Database, owner: Owner, body: str) -> int:
    message = replace(
        new_message(owner, body=body), channel=Channel.EMAIL, details={"subject": "Hi"}
    )
    return await make_message(database, message)


def mails_of(provider: Scripted) -> list[EmailRequest]:
    return [request for request in provider.sent if isinstance(request, EmailRequest)]


def stage_for_mail(database: Database, owner: Owner) -> tuple[Harness, Scripted]:
    provider = Scripted()
    provider.channels = frozenset(Channel)
    return Harness(database, owner, provider), provider


async def test_the_bodies_that_stopped_a_worker_are_sent_with_their_text(
    database: Database, owner: Owner
) -> None:
    harness, provider = stage_for_mail(database, owner)
    messages = [await mail(database, owner, body) for body in (WIDE_CELL, PADDED, PADDED * 60)]
    began = time.process_time()
    for message_id in messages:
        assert (await harness.dispatch(message_id)).verdict is Verdict.ACCEPTED
    assert time.process_time() - began < 20  # 0.3 s; it took minutes and all memory before
    wide, padded, more = (request.text for request in mails_of(provider))
    assert wide.startswith("lorem ipsum lorem")
    assert wide.endswith("ipsum\nb" + "\nb" * 2199)
    assert padded == "\n".join("x" * 1000)
    assert more == "\n".join("x" * 60_000)
    assert await harness.status(messages[0]) is MessageStatus.SENT
    assert await failures(database, owner) == []


async def test_a_large_body_keeps_the_event_loop_free(database: Database, owner: Owner) -> None:
    slow = Slow()
    parts = TextParts(database, convert=slow)
    made = asyncio.create_task(make(parts, owner, await mail(database, owner, "a"), "a"))
    await slow.has_begun()
    # Meanwhile an SMS is dispatched without waiting.
    harness, _ = stage_for_mail(database, owner)
    assert (await harness.dispatch(await harness.accept())).verdict is Verdict.ACCEPTED
    assert not made.done()
    slow.may_end.release()
    assert await made == "A"


async def test_merchants_take_turns(database: Database, owner: Owner) -> None:
    slow, other = Slow(), await make_owner(database)
    parts = TextParts(database, convert=slow, patience=timedelta(minutes=1))
    tasks = [
        asyncio.create_task(make(parts, owner, await mail(database, owner, body), body))
        for body in ("a1", "a2", "a3", "a4")
    ]
    await slow.has_begun()
    tasks.append(asyncio.create_task(make(parts, other, await mail(database, other, "b"), "b")))
    await asyncio.sleep(0)
    for _ in tasks:
        slow.may_end.release()
    assert await asyncio.gather(*tasks) == ["A1", "A2", "A3", "A4", "B"]
    assert slow.given.index("b") <= 2


async def test_a_merchant_with_many_waiting_gets_its_turns(
    database: Database, owner: Owner
) -> None:
    slow = Slow()
    parts = TextParts(database, convert=slow, patience=timedelta(minutes=1))
    message_id = await mail(database, owner, "x")
    waiting = [asyncio.create_task(make(parts, owner, message_id, "x")) for _ in range(4)]
    await asyncio.sleep(0)
    now = datetime.now(UTC)
    told = [await make(parts, owner, message_id, "x") for _ in range(300)]
    moments = [moment for moment in told if isinstance(moment, datetime)]
    assert len(moments) == 300
    assert moments == sorted(moments)
    assert now < moments[0] < now + timedelta(seconds=30)
    assert moments[100] - moments[0] > timedelta(seconds=25)
    assert moments[-1] <= datetime.now(UTC) + timedelta(minutes=1)
    # An OTP waits behind the four, not behind the 300; one that gets no slot returns soon.
    waiting += [
        asyncio.create_task(make(parts, owner, message_id, "x", urgent=True)) for _ in range(4)
    ]
    await asyncio.sleep(0)
    soon = await make(parts, owner, message_id, "x", urgent=True)
    assert isinstance(soon, datetime)
    assert soon <= datetime.now(UTC) + timedelta(seconds=2)
    for _ in waiting:
        slow.may_end.release()
    assert await asyncio.gather(*waiting) == ["X"] * 8


async def test_many_merchants_of_one_tenant_hold_few_steps_and_all_tenants_not_all(
    database: Database, owner: Owner
) -> None:
    slow = Slow()
    parts = TextParts(database, convert=slow, patience=timedelta(minutes=1))
    owners = [owner, *[await make_owner(database) for _ in range(3)]]

    async def ask(one: Owner, merchant: int) -> str | datetime:
        step = DispatchStep(tenant_id=one.tenant_id, message_id=message_ids[one.tenant_id])
        return await parts.make(step, NeedsTextPart(merchant_id=merchant, urgent=False, html="x"))

    message_ids = {one.tenant_id: await mail(database, one, "x") for one in owners}
    held = []
    for one, waiting in zip(owners, (8, 8, 0, 0), strict=True):
        asked = [asyncio.create_task(ask(one, merchant)) for merchant in range(25)]
        await asyncio.sleep(0.01)
        held += [task for task in asked if not task.done()]
        assert sum(not task.done() for task in asked) == waiting
    for _ in held:
        slow.may_end.release()
    assert await asyncio.gather(*held) == ["X"] * 16


async def test_whose_turn_does_not_come_comes_back(database: Database, owner: Owner) -> None:
    slow, other = Slow(), await make_owner(database)
    parts = TextParts(database, convert=slow, patience=timedelta(milliseconds=50))
    first = asyncio.create_task(make(parts, owner, await mail(database, owner, "a"), "a"))
    await slow.has_begun()
    assert isinstance(await make(parts, other, await mail(database, other, "b"), "b"), datetime)
    slow.may_end.release()
    assert await first == "A"
    slow.may_end.release()
    assert await make(parts, other, await mail(database, other, "c"), "c") == "C"


async def test_a_mail_that_waits_for_its_text_part_has_no_attempt(
    database: Database, owner: Owner
) -> None:
    harness, provider = stage_for_mail(database, owner)
    body = "<p>Hi</p>" * QUICK
    message_ids = [await mail(database, owner, body) for _ in range(12)]
    results = await asyncio.gather(*map(harness.dispatch, message_ids))
    verdicts = [result.verdict for result in results]
    assert set(verdicts) <= {Verdict.ACCEPTED, Verdict.LATER}
    assert verdicts.count(Verdict.ACCEPTED) == len(provider.sent)
    for message_id, result in zip(message_ids, results, strict=True):
        if result.verdict is Verdict.LATER:
            assert result.until is not None
            assert await harness.attempts(message_id) == []


async def test_a_body_that_ended_its_process_twice_is_only_scanned(
    database: Database, owner: Owner
) -> None:
    slow = Slow()  # never ends by itself
    message_id = await mail(database, owner, "x")
    async with database.transaction() as db:
        await db.execute(
            text("INSERT INTO step_failure VALUES (:t, :m, 'text_part', 2, '', now(), now())"),
            {"t": owner.tenant_id, "m": message_id},
        )
    made = await make(TextParts(database, convert=slow), owner, message_id, "<p>Hi &amp; bye")
    assert made == "Hi & bye"
    assert slow.given == []
    assert await failures(database, owner) == []


async def make(
    parts: TextParts, owner: Owner, message_id: int, html: str, *, urgent: bool = False
) -> str | datetime:
    step = DispatchStep(tenant_id=owner.tenant_id, message_id=message_id)
    mail = NeedsTextPart(merchant_id=owner.merchant_id, urgent=urgent, html=html)
    return await parts.make(step, mail)


async def failures(database: Database, owner: Owner) -> list[Any]:
    async with database.read() as db:
        rows = await db.execute(
            text("SELECT step FROM step_failure WHERE tenant_id = :t"), {"t": owner.tenant_id}
        )
        return [row.step for row in rows]
