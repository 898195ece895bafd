"""Random usage of one tenant over days, through the project's own functions."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

from sqlalchemy.dialects.postgresql import insert

from api.http.auth import Caller
from api.http.bodies.exact_json import ExactJson
from api.schemas.reports import UsageDayView
from api.services.billing.usage_reports import DailyFilter, Reports, UsageFilter
from models.enums import (
    OPEN_ATTEMPT,
    AttemptState,
    Channel,
    MessageStatus,
    ReportStatus,
    UsageState,
)
from models.queries.messages import (
    conclude,
    dispatch,
    late_reports,
    receipts,
    settlement,
    settlement_facts,
)
from models.queries.messages.acceptance import AcceptedMessage
from models.queries.messages.receipts import AttemptKey, NewReceipt
from models.rules.messages.operations import SEND_EMAIL
from models.rules.messages.settlement import end_by_report, end_unknown
from models.session import Database
from models.tables.rate import Rate
from tests.api.doubles import Clock
from tests.contacts import CONTACT_KEYS, key_of
from tests.factories import Owner, new_message, try_accept
from tests.reports.usage_fixtures import close

TELL_PRICES = frozenset({"twilio"})
CHANNELS = {"simulator": Channel.SMS, "twilio": Channel.SMS, "ses": Channel.EMAIL}


@dataclass(frozen=True, slots=True)
class Send:
    """Accept a message and claim it for a provider, optionally by a worker that is `late`."""

    slot: int
    provider: str
    units: int
    late: timedelta


@dataclass(frozen=True, slots=True)
class Conclude:
    """Store the outcome of its last attempt."""

    slot: int
    state: AttemptState


@dataclass(frozen=True, slots=True)
class Again:
    """Claim it again if the last attempt definitely failed."""

    slot: int


@dataclass(frozen=True, slots=True)
class Tell:
    """Store a report about its last attempt; a repeated one has the same event id."""

    slot: int
    status: ReportStatus
    price: Decimal | None


@dataclass(frozen=True, slots=True)
class Settle:
    """End it as the workflow does, or correct it if it has ended."""

    slot: int
    give_up: bool


@dataclass(frozen=True, slots=True)
class Price:
    """Import a rate for a provider."""

    provider: str
    unit_cost: Decimal
    carrier_fee: Decimal
    basis_points: int


@dataclass(frozen=True, slots=True)
class Close:
    """Close what is due."""


Action: TypeAlias = Send | Conclude | Again | Tell | Settle | Price | Close


@dataclass
class Scenario:
    """One tenant's days. Its clock only advances between rounds."""

    database: Database
    owner: Owner
    now: datetime
    ids: dict[int, tuple[int, str]] = field(default_factory=dict)
    final: dict[tuple[date, date], bytes] = field(default_factory=dict)
    """Every report that was FINAL once, as text."""
    final_days: dict[tuple[date, Channel], UsageDayView] = field(default_factory=dict)
    """Every line of daily usage that was FINAL once."""

    async def at_once(self, actions: list[tuple[Action, int]]) -> None:
        """Run all actions concurrently on their own connections, each as often as it states."""
        wanted = [self.act(action) for action, times in actions for _ in range(times)]
        await asyncio.gather(*wanted)

    async def act(self, action: Action) -> None:
        """Run one action; a slot without a message selects one of the existing ones, if any."""
        match action:
            case Send():
                await self._send(action)
            case Price():
                await self._price(action)
            case Close():
                await close(self.database, self.owner, self.now)
            case _ if self.ids:
                known = [*self.ids.values()]
                message, provider = self.ids.get(action.slot, known[action.slot % len(known)])
                await self._act_on(action, message, provider)

    async def _act_on(
        self, action: Conclude | Again | Tell | Settle, message_id: int, provider: str
    ) -> None:
        match action:
            case Conclude(state=state):
                await self._conclude(message_id, state)
            case Again():
                await self._claim(message_id, provider, self.now)
            case Tell():
                await self._tell(action, message_id, provider)
            case Settle(give_up=give_up):
                await self._settle(message_id, give_up=give_up)

    async def _send(self, action: Send) -> None:
        channel = CHANNELS[action.provider]
        order = new_message(
            self.owner, units=action.units, key=f"slot-{action.slot}", accepted_at=self.now
        )
        if channel is Channel.EMAIL:
            order = replace(
                order, channel=channel, operation=SEND_EMAIL, contact_key=key_of("a@b.example")
            )
        outcome = await try_accept(self.database, order)
        if isinstance(outcome, AcceptedMessage):
            self.ids[action.slot] = outcome.message_id, action.provider
            await self._claim(outcome.message_id, action.provider, self.now - action.late)

    async def _claim(self, message_id: int, provider: str, at: datetime) -> None:
        ids = {"tenant_id": self.owner.tenant_id, "message_id": message_id}
        async with self.database.transaction() as db:
            found = await dispatch.lock_for_dispatch(db, **ids)
            assert found is not None
            last = found.attempts[-1].state if found.attempts else AttemptState.ABSENT
            if found.candidate.completed or last in {*OPEN_ATTEMPT, AttemptState.ACCEPTED}:
                return
            number = len(found.attempts) + 1
            await dispatch.claim(
                db,
                tenant_id=self.owner.tenant_id,
                message_id=message_id,
                number=number,
                provider=provider,
                account=provider,
                now=at,
                deadline=at,
                grace=timedelta(minutes=1),
            )

    async def _last_attempt(self, message_id: int) -> int:
        async with self.database.transaction() as db:
            found = await dispatch.lock_for_dispatch(
                db, tenant_id=self.owner.tenant_id, message_id=message_id
            )
        assert found is not None
        return len(found.attempts)

    async def _conclude(self, message_id: int, state: AttemptState) -> None:
        number = await self._last_attempt(message_id)
        async with self.database.transaction() as db:
            await conclude.conclude(
                db,
                tenant_id=self.owner.tenant_id,
                message_id=message_id,
                number=number,
                state=state,
                now=self.now,
            )

    async def _tell(self, action: Tell, message_id: int, provider: str) -> None:
        number = await self._last_attempt(message_id)
        if number == 0:
            return
        report = NewReceipt(
            attempt=AttemptKey(
                tenant_id=self.owner.tenant_id, message_id=message_id, public_id=0, number=number
            ),
            account=provider,
            event_id=f"{message_id}-{number}-{action.status}",
            provider_message_id=f"{message_id}-{number}",
            status=action.status,
            reported_at=self.now,
            price=action.price if provider in TELL_PRICES else None,
        )
        async with self.database.transaction() as db:
            await receipts.store(db, report, CONTACT_KEYS, self.now)

    async def _settle(self, message_id: int, *, give_up: bool) -> None:
        async with self.database.transaction() as db:
            message = await settlement_facts.lock_for_settlement(
                db, tenant_id=self.owner.tenant_id, message_id=message_id
            )
            assert message is not None
            if message.completed:
                await late_reports.apply_late_reports(
                    db, message, self.now, price_reporters=TELL_PRICES
                )
                return
            end = end_by_report(message.facts)
            if end is None and give_up and message.facts.status is not MessageStatus.QUEUED:
                end = end_unknown(message.facts)
            if end is not None:
                await settlement.end_message(
                    db, message, end, self.now, price_reporters=TELL_PRICES
                )

    async def _price(self, action: Price) -> None:
        rate = {
            "tenant_id": self.owner.tenant_id,
            "channel": CHANNELS[action.provider],
            "provider": action.provider,
            "country": "",
            "valid_from": self.now,
            "unit_cost": action.unit_cost,
            "carrier_fee": action.carrier_fee,
            "markup_basis_points": action.basis_points,
            "markup_flat": Decimal("0.0005"),
            "imported_at": self.now,
        }
        async with self.database.transaction() as db:
            await db.execute(insert(Rate).values(rate).on_conflict_do_nothing())

    @property
    def caller(self) -> Caller:
        """The tenant's own key."""
        return Caller(
            tenant_id=self.owner.tenant_id,
            key_id=0,
            merchant_id=None,
            tenant_public_id=0,
            merchant_public_id=None,
            merchant=None,
        )

    async def read_daily(self, first: date, last: date) -> list[UsageDayView]:
        """Read daily usage; a FINAL day must not change, nor get or lose a line."""
        reports = Reports(self.database, Clock(self.now))
        wanted = DailyFilter(first=first, last=last)
        days = [*await reports.daily(self.caller, self.owner.merchant, wanted)]
        lines = {(line.day, line.channel): line for line in days}
        for key, line in self.final_days.items():
            assert not first <= key[0] <= last or lines[key] == line
        for key, line in lines.items():
            if line.state is UsageState.FINAL:
                self.final_days[key] = line
        return days

    async def read(self, first: date, last: date) -> bytes:
        """Read a report; one that was FINAL before must be byte-identical."""
        reports = Reports(self.database, Clock(self.now))
        wanted = UsageFilter(merchant_id=None, first=first, last=last)
        answer = await reports.usage(self.caller, wanted)
        written = bytes(ExactJson(answer).body)
        was = self.final.get((first, last))
        assert was is None or written == was, f"FINAL changed: {was!r} became {written!r}"
        if answer.freshness_state is UsageState.FINAL:
            assert answer.freshness_reason is None
            self.final[first, last] = written
        else:
            assert answer.freshness_reason
        return written
