"""Decides the lines of a page in order, in one transaction, and writes all of them at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from api.services.messages.batches.page import (
    LockedDestinations,
    PreparedLine,
    lock_destinations,
)
from models.errors import (
    DestinationLimited,
    HexavoxError,
    InsufficientCredits,
)
from models.queries.messages.acceptance import NewMessage
from models.queries.messages.batches import acceptance, decisions, new_chunks, pages
from models.queries.messages.batches.acceptance import KnownMessage, NewMember
from models.queries.messages.batches.decisions import LineDecision
from models.queries.messages.batches.pages import FoundBatch
from models.rules.billing.periods import month_of
from models.rules.messages.batches.acceptance import DecidedPage, chunks_of
from models.rules.messages.batches.funds import Funds, Hold
from models.session import WriteSession


class PageOvertaken(Exception):
    """Another transaction was first; after a rollback the page is read again."""


class KeysUsed(PageOvertaken):
    """A line that was taken for new has the Idempotency-Key of a message."""


@dataclass(frozen=True, slots=True)
class _Accepted:
    """A message that is accepted, with its row id and its hold."""

    message_id: int
    message: NewMessage
    hold: Hold


@dataclass(slots=True, kw_only=True)
class _Deciding:
    """Decides line by line, as single sends one after another would be decided."""

    funds: Funds
    known: dict[str, KnownMessage]
    """Messages by Idempotency-Key, also those of earlier lines."""
    destinations: LockedDestinations
    ids: Iterator[int]
    """Row ids for new messages, ascending."""
    accepted: list[_Accepted] = field(default_factory=list)
    unfunded: bool = False

    def decide(self, line: PreparedLine) -> LineDecision:
        """Return the message of a line, or why it is refused."""
        assert line.request.key is not None
        known = self.known.get(line.request.key)
        try:
            if known is not None:
                line.request.check_same(known.fingerprint)
                return LineDecision(line=line.line, message_id=known.message_id)
            if line.message is None:
                raise line.refused or HexavoxError()
            message_id = self._accept(line.message)
        except HexavoxError as error:
            return LineDecision(line=line.line, code=error.code, detail=error.detail)
        self.known[line.request.key] = KnownMessage(
            message_id=message_id, fingerprint=line.request.fingerprint
        )
        return LineDecision(line=line.line, message_id=message_id)

    def _accept(self, message: NewMessage) -> int:
        """Take the units and count the destinations of a message; return its row id.

        Raises InsufficientCredits, DestinationLimited.
        """
        hold = self.funds.quote(message.units)
        if hold is None:
            self.unfunded = True
            available = self.funds.available(message.units)
            raise InsufficientCredits(f"Units needed: {message.units}, available: {available}.")
        wait = self.destinations.wait(message)
        if wait:
            raise DestinationLimited(retry_after=wait)
        self.funds.take(hold)
        self.destinations.count(message)
        message_id = next(self.ids)
        self.accepted.append(_Accepted(message_id, message, hold))
        return message_id


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOutcome:
    """A decided page; `unfunded` if allowance and credits did not cover a line."""

    page: DecidedPage
    unfunded: bool
    added: int
    """New messages; a line whose key is known adds none."""


async def decide_page(
    db: WriteSession,
    batch: FoundBatch,
    operation: str,
    lines: Sequence[PreparedLine],
    *,
    now: datetime,
    grace: timedelta,
    look_up: bool,
) -> PageOutcome:
    """Decide the next lines of a batch, and write messages, holds, chunks and decisions.

    Keys are nearly always new. Without `look_up` those of permitted lines are taken for new, and
    the unique index of keys decides. Single sends with the same keys are serialized with it by that
    index, most of them before by the locks of month and credits.

    Raises:
        KeysUsed: a key is used; repeat with `look_up`.
        PageOvertaken: the lines were decided by another transaction.
    """
    if not await pages.lock_page(db, batch):
        raise PageOvertaken
    messages = [line.message for line in lines if line.message is not None]
    funds = Funds(allowance=0, credits=0)
    if messages:
        funds = await acceptance.lock_funds(db, batch, month_of(now))
    keys = {line.request.key or "" for line in lines if look_up or line.message is None}
    deciding = _Deciding(
        funds=funds,
        known=await acceptance.find_known(db, batch, operation, keys) if keys else {},
        destinations=await lock_destinations(db, batch, messages),
        ids=iter(await acceptance.reserve_ids(db, len(messages)) if messages else ()),
    )
    decided = [deciding.decide(line) for line in lines]
    page = await _write(db, batch, deciding, decided, now=now, grace=grace)
    return PageOutcome(page=page, unfunded=deciding.unfunded, added=len(deciding.accepted))


async def _write(
    db: WriteSession,
    batch: FoundBatch,
    deciding: _Deciding,
    decided: Sequence[LineDecision],
    *,
    now: datetime,
    grace: timedelta,
) -> DecidedPage:
    accepted = deciding.accepted
    groups = chunks_of(((a.message.type, a.message.due_at) for a in accepted), now)
    chunks = await new_chunks.add_chunks(db, batch, groups, now) if groups else {}
    members = []
    for one in accepted:
        chunk = chunks.get((one.message.type, one.message.due_at))
        members.append(
            NewMember(
                message_id=one.message_id,
                message=one.message,
                hold=one.hold,
                chunk_id=None if chunk is None else chunk.chunk_id,
            )
        )
    if members and not await acceptance.insert_members(db, batch, members, deciding.funds):
        raise KeysUsed
    await deciding.destinations.write(db, batch.tenant_id)
    refused = sum(decision.code is not None for decision in decided)
    is_last = await decisions.decide_lines(db, batch, decided, now=now, sweep_at=now + grace)
    return DecidedPage(
        accepted=len(decided) - refused,
        refused=refused,
        chunks=list(chunks.values()),
        decided=is_last,
    )
