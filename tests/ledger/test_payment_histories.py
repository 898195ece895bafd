"""Random histories of a payment: in any order of events, charges and credits agree.

The gateway changes state at any time, loses responses, is busy, and reports old and repeated
states. Steps run in any order and concurrently; the merchant is deactivated and activated.
"""

import asyncio
import contextlib
import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from models.enums import OPEN_CHARGE, ChargeState, PaymentStatus, ReversalState
from models.queries.billing.upgrades.payments import ForeignCharge
from models.rules.billing.payments import may_step
from models.session import Database
from tests.activities.gateways import BUSY, LOST, UNREACHABLE, OwnGateway, PaymentHarness
from tests.factories import make_owner

AT_ONCE = 5
OPERATORS = ("REFUND_STUCK", "PAYMENT_DISPUTED")
EXAMPLES = int(os.environ.get("LEDGER_EXAMPLES", "12"))
"""Times AT_ONCE histories; a longer search has more, with random seeds."""

Step = Literal["charge", "await_payment", "cancel_charge", "grant", "refund"]


@dataclass(frozen=True, slots=True)
class Take:
    """Run a step, several times concurrently."""

    step: Step
    times: int


@dataclass(frozen=True, slots=True)
class Move:
    """The gateway changes the state of an open charge."""

    state: ChargeState


@dataclass(frozen=True, slots=True)
class Tell:
    """The gateway reports an earlier state of its charge, possibly again."""

    age: int
    times: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """The next responses are lost, refused or unavailable."""

    lost: bool
    unreachable: bool


@dataclass(frozen=True, slots=True)
class Switch:
    """The merchant is activated or deactivated."""

    active: bool


@dataclass(frozen=True, slots=True)
class Charged:
    """From now on the gateway reports another amount of its charges, or the right one again."""

    amount: tuple[int, str] | None


@dataclass(frozen=True, slots=True)
class Reverse:
    """The gateway reports a refund or a dispute of a successful charge, possibly twice."""

    state: ReversalState
    times: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """The gateway refuses refunds, or makes them; `late` ends the retries of refunds."""

    refuses: bool
    late: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """The horizon of waiting for the right amount passes."""


Action = Take | Move | Tell | Trouble | Switch | Charged | Reverse | Refuse | Wait

ACTIONS: st.SearchStrategy[Action] = st.one_of(
    st.builds(Take, st.sampled_from(["charge", "charge", "await_payment"]), st.integers(1, 3)),
    st.builds(Take, st.sampled_from(["grant", "refund", "cancel_charge"]), st.integers(1, 3)),
    st.builds(Move, st.sampled_from([s for s in ChargeState if s is not ChargeState.DECLINED])),
    st.builds(Tell, st.integers(0, 3), st.integers(1, 2)),
    st.builds(Trouble, st.booleans(), st.booleans()),
    st.builds(Switch, st.booleans()),
    st.builds(Charged, st.sampled_from([None, (11, "USD"), (9, "USD"), (10, "MXN")])),
    st.builds(Reverse, st.sampled_from(ReversalState), st.integers(1, 2)),
    st.builds(Refuse, st.booleans(), st.booleans()),
    st.builds(Wait),
)


class Scenario:
    """One payment at one gateway."""

    def __init__(self, harness: PaymentHarness, payment_id: int) -> None:
        self._till = harness
        self._payment_id = payment_id
        self._seen: list[ChargeState] = []
        self._status = PaymentStatus.PENDING

    async def act(self, action: Action) -> None:
        match action:
            case Take(step=step, times=times):
                await asyncio.gather(
                    *(self._till.take(step, self._payment_id) for _ in range(times))
                )
            case Tell() if self._seen:
                await self._tell(action)
            case Reverse(state=state, times=times) if ChargeState.SUCCEEDED in self._seen:
                await self._reverse(state, times)
            case Switch(active=active):
                await self._till.switch(active=active)
            case _:
                self._change(action)
        await self._look()

    def _change(self, action: Action) -> None:
        """Change the gateway's behaviour, and the time waited for it."""
        gateway = self._till.gateway
        match action:
            case Move(state=state):
                for reference, now in gateway.states.items():
                    if now in OPEN_CHARGE:
                        gateway.states[reference] = state
            case Trouble(lost=lost, unreachable=unreachable):
                gateway.answers.append(LOST if lost else BUSY)
                if unreachable:
                    gateway.truths.append(UNREACHABLE)
            case Charged(amount=amount):
                gateway.tells = amount
            case Refuse(refuses=refuses, late=late):
                gateway.refuses_refunds = refuses
                self._till.refund_wait = timedelta(0) if late else timedelta(hours=72)
            case Wait():
                self._till.mismatch_wait = timedelta(0)

    async def _tell(self, told: Tell) -> None:
        state = self._seen[-1 - told.age % len(self._seen)]
        amount = self._till.gateway.tells or (10, "USD")
        for _ in range(told.times):
            with contextlib.suppress(ForeignCharge):
                await self._till.tell(
                    self._payment_id, state, event_id=f"evt-{state}-{amount}", amount=amount
                )

    async def _reverse(self, state: ReversalState, times: int) -> None:
        """Report it; after a refund or a lost dispute the payer has the whole amount again."""
        row = await self._till.row(self._payment_id)
        cents = row.captured_cents or row.amount_cents
        currency = row.captured_currency or row.currency
        if state in (ReversalState.REFUNDED, ReversalState.DISPUTE_LOST):
            self._till.gateway.returned.update(self._till.gateway.states)
        for _ in range(times):
            await self._till.reverse(
                self._payment_id,
                state,
                cents=cents if state is ReversalState.REFUNDED else 0,
                currency=currency,
                event_id=f"evt-{state}",
            )

    async def _look(self) -> None:
        """Record the gateway's state, and check that the status took permitted steps only."""
        for state in self._till.gateway.states.values():
            if state not in self._seen[-1:]:
                self._seen.append(state)
        status = PaymentStatus((await self._till.row(self._payment_id)).status)
        assert (
            status == self._status
            or may_step(self._status, status)
            or _passed(self._status, status)
        ), (self._status, status)
        self._status = status


def _passed(before: PaymentStatus, after: PaymentStatus) -> bool:
    """Return whether concurrent steps may have taken two transitions."""
    return any(may_step(before, between) and may_step(between, after) for between in PaymentStatus)


async def live(database: Database, begins: ChargeState, actions: list[Action]) -> None:
    harness = PaymentHarness(
        database, await make_owner(database, sms_limit=0), OwnGateway(state=begins)
    )
    payment_id = await harness.order()
    scenario = Scenario(harness, payment_id)
    for action in actions:
        await scenario.act(action)
        assert await harness.broken_laws() == []
    harness.gateway.answers, harness.gateway.truths = [], []
    if harness.gateway.state in OPEN_CHARGE:  # in case it is requested only now
        harness.gateway.state = ChargeState.SUCCEEDED
    for reference, state in harness.gateway.states.items():
        if state in OPEN_CHARGE:
            harness.gateway.states[reference] = ChargeState.SUCCEEDED
    if harness.gateway.requests:
        await harness.outlive(payment_id)
    harness.mismatch_wait = harness.refund_wait = timedelta(0)
    if harness.gateway.tells is not None:  # the horizon passes
        await harness.take("cancel_charge", payment_id)
    status = await harness.carry(payment_id)
    assert status in (PaymentStatus.SUCCEEDED, PaymentStatus.FAILED, PaymentStatus.REFUNDED)
    row = await harness.row(payment_id)
    assert row.completed_at is not None
    assert await harness.broken_laws() == []
    stuck = {type for type, _, _ in await harness.open_alerts()} & {*OPERATORS}
    assert stuck or row.refund_stuck_at is None, "an operator is told of every refund that is owed"


@settings(
    max_examples=EXAMPLES,
    derandomize="LEDGER_EXAMPLES" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@given(
    scenarios=st.lists(
        st.tuples(st.sampled_from(ChargeState), st.lists(ACTIONS, min_size=4, max_size=14)),
        min_size=AT_ONCE,
        max_size=AT_ONCE,
    )
)
async def test_money_and_credits_agree_after_any_history(
    database: Database, scenarios: list[tuple[ChargeState, list[Action]]]
) -> None:
    await asyncio.gather(*(live(database, begins, actions) for begins, actions in scenarios))
