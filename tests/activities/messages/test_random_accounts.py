"""Random outcomes at three accounts: one copy at most, always from a sender of its account."""

from random import Random

import pytest
from sqlalchemy import text

from models.session import Database
from providers.ports.messages import Accepted, Ambiguous, Answer, LookUp, LookUpRequest, SendRequest
from tests.activities.doubles import FOUND, NOT_FOUND, NOT_PROCESSED, REFUSED, own_id
from tests.activities.harness import TO, Harness
from tests.factories import Owner, make_message, new_message
from tests.senders.accounts import ScriptedAccount, routes_of, scope_of
from tests.senders.test_choice import LIVE, add, switch
from tests.unit.accounts.test_routing_table import Row
from workflows.messages.types import Finding, Verdict

STEPS = 12


class RandomAccount(ScriptedAccount):
    """Refuses, fails or takes a message by chance; a lost answer may hide a copy."""

    def __init__(self, account: str, random: Random) -> None:
        super().__init__(account, truths=[FOUND])
        self._random = random
        self.delivered: list[SendRequest] = []

    async def send(self, request: SendRequest) -> Answer:
        self.sent.append(request)
        outcome = self._random.choice(["refused", "not processed", "lost", "hidden", "accepted"])
        if outcome in {"hidden", "accepted"}:
            self.delivered.append(request)
        if outcome == "accepted":
            return Accepted(provider_message_id=own_id(request.reference))
        answers: dict[str, Answer] = {"refused": REFUSED, "not processed": NOT_PROCESSED}
        return answers.get(outcome, Ambiguous(reason="ReadTimeout"))

    async def look_up(self, request: LookUpRequest) -> LookUp:
        if any(sent.reference == request.reference for sent in self.delivered):
            return await super().look_up(request)
        return NOT_FOUND


@pytest.mark.parametrize("seed", range(24))
async def test_at_most_one_copy_arrives_and_it_is_from_a_sender_of_its_account(
    database: Database, owner: Owner, seed: int
) -> None:
    random = Random(seed)
    await switch(database, owner, LIVE)
    numbers = [
        await add(database, owner, f"+121{n}555", own=random.random() < 0.8, registered=True)
        for n in range(2, 5)
    ]
    accounts = {
        RandomAccount(name, random): scope_of(
            *random.sample(numbers, random.randint(0, 2)),
            tenants=random.choice([None, None, [owner.tenant], ["other"]]),
        )
        for name in "abc"
    }
    rows = [Row(accounts=tuple(random.sample("abc", 3)))] if random.random() < 0.5 else []
    harness = Harness(database, owner, routes=routes_of(accounts, *rows))
    message_id = await make_message(database, new_message(owner, to=TO))
    for _ in range(STEPS):
        result = await harness.dispatch(message_id)
        if result.verdict in {Verdict.ACCEPTED, Verdict.REFUSED}:
            break
        if result.verdict is Verdict.AMBIGUOUS:
            async with database.transaction() as db:  # long after its deadline
                await db.execute(
                    text(
                        "UPDATE attempt SET deadline = now() - interval '1 hour'"
                        " WHERE message_id = :m AND state IN ('REQUESTED', 'AMBIGUOUS')"
                    ),
                    {"m": message_id},
                )
            assert (await harness.reconcile(message_id)).finding is not Finding.UNCERTAIN

    copies = [request for account in accounts for request in account.delivered]
    assert len(copies) <= 1
    assert (result.verdict is Verdict.ACCEPTED) is (len(copies) == 1)
    for account, scope in accounts.items():
        assert {request.sender for request in account.sent} <= scope.numbers
        assert not account.sent or scope.serves(owner.tenant)
    if copies:
        assert (await harness.message(message_id)).sender == copies[0].sender
