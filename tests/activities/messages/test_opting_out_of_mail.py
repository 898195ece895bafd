"""Opt-outs apply to every recipient of an e-mail, and to the tenant's direct e-mail."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

import pytest
from sqlalchemy import text

from models.enums import Channel, ConsentStatus, ErrorCode, MessageType
from models.queries.messages import dispatch
from models.queries.messages.acceptance import NewMessage
from models.session import Database, WriteSession
from tests.activities.harness import Harness
from tests.factories import Owner, make_owner
from tests.inbound.harness import make_merchant_fixture
from tests.mailing import (
    RECIPIENTS,
    THE_TENANT,
    AllChannels,
    accept,
    complain,
    mail,
    opt_out,
    said,
    single,
)
from workflows.messages.types import DispatchResult, Verdict

OPTED_OUT = DispatchResult(verdict=Verdict.BLOCKED, error_code=ErrorCode.CONSENT_OPTED_OUT)
SUPPRESSED = DispatchResult(verdict=Verdict.BLOCKED, error_code=ErrorCode.RECIPIENT_SUPPRESSED)
EACH = pytest.mark.parametrize("recipient", RECIPIENTS)

Refusal: TypeAlias = Callable[[WriteSession, Owner, str], Awaitable[None]]


@pytest.fixture
def provider() -> AllChannels:
    """A provider that accepts everything."""
    return AllChannels()


@pytest.fixture
def harness(database: Database, owner: Owner, provider: AllChannels) -> Harness:
    """A tenant with that provider."""
    return Harness(database, owner, provider, slots=1000)


async def _blocked(harness: Harness, message_id: int, result: DispatchResult) -> None:
    assert await harness.dispatch(message_id) == result
    assert await harness.attempts(message_id) == []


@EACH
async def test_one_recipient_who_opted_out_holds_the_whole_mail(
    harness: Harness, provider: AllChannels, recipient: str
) -> None:
    message_id = await accept(harness.database, mail(harness.owner))
    async with harness.database.transaction() as db:
        await opt_out(db, harness.owner, recipient)
    await _blocked(harness, message_id, OPTED_OUT)
    assert provider.sent == []


@EACH
async def test_marketing_needs_the_consent_of_every_recipient(
    harness: Harness, recipient: str
) -> None:
    first, second = [
        await accept(harness.database, mail(harness.owner, type=MessageType.MARKETING))
        for _ in range(2)
    ]
    async with harness.database.transaction() as db:
        for other in RECIPIENTS:
            if other != recipient:
                await said(db, harness.owner, other, ConsentStatus.OPT_IN)
    required = DispatchResult(verdict=Verdict.BLOCKED, error_code=ErrorCode.CONSENT_REQUIRED)
    await _blocked(harness, first, required)
    async with harness.database.transaction() as db:
        await said(db, harness.owner, recipient, ConsentStatus.OPT_IN)
    assert (await harness.dispatch(second)).verdict is Verdict.ACCEPTED


@EACH
async def test_one_suppressed_recipient_holds_the_whole_mail(
    harness: Harness, provider: AllChannels, recipient: str
) -> None:
    message_id = await accept(harness.database, mail(harness.owner))
    async with harness.database.transaction() as db:
        await complain(db, harness.owner, recipient)
    await _blocked(harness, message_id, SUPPRESSED)
    assert provider.sent == []


@EACH
@pytest.mark.parametrize("of_the_tenant", [True, False], ids=["the tenant", "a merchant"])
async def test_a_complaint_to_merchant_or_tenant_blocks_the_tenants_email(
    harness: Harness, recipient: str, of_the_tenant: bool
) -> None:
    message_id = await accept(harness.database, mail(harness.owner, of_the_tenant=True))
    merchant_id = THE_TENANT if of_the_tenant else None
    async with harness.database.transaction() as db:
        await complain(db, harness.owner, recipient, merchant_id=merchant_id)
    await _blocked(harness, message_id, SUPPRESSED)


async def test_opt_outs_of_other_tenants_merchants_or_channels_block_no_email(
    harness: Harness,
) -> None:
    shop = await make_merchant_fixture(harness.database, harness.owner, "Shop B")
    stranger = await make_owner(harness.database)
    merchants, tenants = [
        await accept(harness.database, mail(harness.owner, of_the_tenant=own))
        for own in (False, True)
    ]
    async with harness.database.transaction() as db:
        for recipient in RECIPIENTS:
            await complain(db, stranger, recipient)
            await complain(db, stranger, recipient, merchant_id=THE_TENANT)
            await opt_out(db, stranger, recipient)
            await opt_out(db, harness.owner, recipient, Channel.SMS)
            await opt_out(db, shop, recipient)
    for message_id in (merchants, tenants):
        assert (await harness.dispatch(message_id)).verdict is Verdict.ACCEPTED
    async with harness.database.transaction() as db:
        await complain(db, shop, RECIPIENTS[2])
    another = await accept(harness.database, mail(harness.owner))
    assert (await harness.dispatch(another)).verdict is Verdict.ACCEPTED


SHAPES: dict[str, tuple[Callable[[Owner, str], NewMessage], Refusal, DispatchResult]] = {
    **{
        f"{channel} to one, opt-out": (
            partial(single, channel),
            partial(opt_out, channel=channel),
            OPTED_OUT,
        )
        for channel in Channel
    },
    "mail to several, opt-out": (lambda owner, _: mail(owner), opt_out, OPTED_OUT),
    "mail to several, suppression": (lambda owner, _: mail(owner), complain, SUPPRESSED),
    "the tenant's mail, suppression by a merchant": (
        lambda owner, _: mail(owner, of_the_tenant=True),
        complain,
        SUPPRESSED,
    ),
    "the tenant's mail, suppression by the tenant": (
        lambda owner, _: mail(owner, of_the_tenant=True),
        partial(complain, merchant_id=THE_TENANT),
        SUPPRESSED,
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
@EACH
async def test_a_dispatch_waits_for_a_refusal_under_way(
    harness: Harness, provider: AllChannels, shape: str, recipient: str
) -> None:
    make, refuse, result = SHAPES[shape]
    message_id = await accept(harness.database, make(harness.owner, recipient))
    async with harness.database.transaction() as db:
        await refuse(db, harness.owner, recipient)
        call = asyncio.create_task(harness.dispatch(message_id))
        await asyncio.sleep(0.1)
        assert not call.done()
    assert await call == result
    assert provider.sent == []


@pytest.mark.parametrize("shape", SHAPES)
async def test_no_attempt_is_ever_committed_after_the_refusal_was(
    harness: Harness, provider: AllChannels, shape: str
) -> None:
    """The exclusive lock of the contact sees every attempt."""
    make, refuse, _ = SHAPES[shape]
    refused: list[str] = []

    async def round_of(number: int) -> bool:
        # Each round has its own recipients, and a different one opts out.
        recipients = [f"{number}.{recipient}" for recipient in RECIPIENTS]
        recipient = recipients[number % 3]
        message = make(harness.owner, recipient)
        if message.further_keys:
            own = message.merchant_id is None
            message = mail(harness.owner, recipients, of_the_tenant=own)
        message_id = await accept(harness.database, message)
        seen: list[int] = []

        async def refuses() -> None:
            await asyncio.sleep((number % 7) * 0.001)
            async with harness.database.transaction() as db:
                await refuse(db, harness.owner, recipient)
                found = await db.scalar(
                    text("SELECT count(*) FROM attempt WHERE tenant_id = :t AND message_id = :m"),
                    {"t": harness.owner.tenant_id, "m": message_id},
                )
                seen.append(found or 0)
                await asyncio.sleep(0.002)

        handed, _ = await asyncio.gather(harness.dispatch(message_id), refuses())
        refused.append(recipient)
        assert len(await harness.attempts(message_id)) == seen[0]
        assert (handed.verdict is Verdict.ACCEPTED) is (seen[0] == 1)
        return seen[0] == 1

    sent = 0
    for batch in range(6):
        sent += sum(await asyncio.gather(*(round_of(batch * 7 + n) for n in range(7))))
    assert (len(provider.sent), len(set(refused))) == (sent, 42)


@EACH
async def test_a_suppression_waits_for_the_tenants_own_mail_under_way(
    harness: Harness, recipient: str
) -> None:
    """It is reported for a merchant but also blocks the tenant's e-mail, so it takes that lock
    too.
    """
    message_id = await accept(harness.database, mail(harness.owner, of_the_tenant=True))

    async def suppresses() -> None:
        async with harness.database.transaction() as db:
            await complain(db, harness.owner, recipient)

    async with harness.database.transaction() as db:
        found = await dispatch.lock_for_dispatch(
            db, tenant_id=harness.owner.tenant_id, message_id=message_id
        )
        assert found is not None
        assert not found.candidate.suppressed
        suppressing = asyncio.create_task(suppresses())
        await asyncio.sleep(0.1)
        assert not suppressing.done()
    await suppressing
    await _blocked(harness, message_id, SUPPRESSED)
