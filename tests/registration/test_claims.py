"""A number belongs to its buyer from the request on, and is used once it is bought."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from models.rules.registration.vocabulary import RegistrationOperation
from models.session import Database
from tests.factories import Owner
from tests.registration.harness import DONE, REJECTED, Harness, ScriptedRegistry


def _stage(database: Database, owner: Owner, answer: Any) -> Harness:
    return Harness(database, owner, ScriptedRegistry(answer))


def _number(on: Harness) -> str:
    return f"+1813{on.owner.tenant_id % 10**7:07d}"


async def _senders(on: Harness) -> list[Any]:
    return await on.rows(
        "SELECT claimed_at, provider FROM sender_number WHERE number = :n", n=_number(on)
    )


async def _claim(on: Harness, *, claimed: bool = True) -> None:
    async with on.database.transaction() as db:
        await db.execute(
            text(
                "INSERT INTO sender_number (number, tenant_id, merchant_id, provider, claimed_at,"
                " created_at) VALUES (:n, :t, :m, 'simulator', :claimed, now())"
            ),
            {
                "n": _number(on),
                "t": on.owner.tenant_id,
                "m": on.owner.merchant_id,
                "claimed": datetime.now(UTC) if claimed else None,
            },
        )


async def test_what_was_claimed_is_the_merchants_once_it_is_bought(
    database: Database, owner: Owner
) -> None:
    on = _stage(database, owner, DONE)
    await _claim(on)
    await on.submit(RegistrationOperation.BUY, await on.number(_number(on)))
    assert await _senders(on) == [(None, "simulator")]


@pytest.mark.parametrize(("claimed", "left"), [(True, []), (False, [(None, "simulator")])])
async def test_a_purchase_that_fails_gives_up_its_claim_and_nothing_else(
    database: Database, owner: Owner, claimed: bool, left: list[Any]
) -> None:
    on = _stage(database, owner, REJECTED)
    await _claim(on, claimed=claimed)
    assert (
        await on.submit(RegistrationOperation.BUY, await on.number(_number(on)))
    ).state == "FAILED"
    assert await _senders(on) == left
