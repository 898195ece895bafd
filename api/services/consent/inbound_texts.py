"""Processes inbound texts: stored once, keywords applied, at most one answer."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from api.http.auth import Caller
from api.http.pagination import Page, Slice
from api.schemas.inbound import InboundMessageView
from api.services.consent.inbound_answers import InboundAnswers
from api.services.consent.inbound_conversation import Conversation
from api.services.consent.inbound_reading import readable_text
from api.services.verify_webhook import verify
from api.workflow_starters import WorkflowStarter
from models.database.transaction_limits import LockScope
from models.enums import Channel, ConsentStatus, InboundKind, SuppressionReason
from models.errors import MalformedJson, NotFound
from models.metrics import REPORT_MISMATCHES
from models.queries.consent import inbound_texts
from models.queries.consent.consents import lock_contact, write_consent
from models.queries.consent.inbound_numbers import KnownNumber, find_number
from models.queries.consent.inbound_texts import Addressee, StoredInbound, Writers
from models.queries.consent.suppression import lift
from models.queries.tenants.cursors import find_cursor_row
from models.queries.tenants.visibility import narrow_scope
from models.rules.accounts.account_scope import AccountScope
from models.rules.consent.keywords import is_stop_source, start_source, stop_source
from models.rules.messages.delivery_events import Mismatch
from models.rules.messages.identity import SendStart
from models.session import Database, WriteSession
from models.tables.inbound import InboundMessage
from providers.ports.messages import InboundText, VerifyInbound, Webhook

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundFilter:
    """Filter of inbound texts; `number` is ours, in E.164 form."""

    merchant_id: str | None
    sender: str | None = field(repr=False)
    """A phone number, or another sender as it was received."""
    number: str | None = field(repr=False)


class Inbox:
    """Receives and lists inbound texts. A repeated webhook changes nothing.

    A STOP opts the contact out in the transaction that stores it, under the lock that every attempt
    takes. Its answer is an ordinary message, written in the same transaction.
    """

    def __init__(
        self,
        database: Database,
        starter: WorkflowStarter,
        verifiers: Mapping[str, VerifyInbound],
        *,
        scope: Callable[[str], AccountScope | None],
        listed_by: Callable[[str], Collection[str]],
        start_within: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        """Take what the providers file says.

        `scope` returns whom an account serves, None: every tenant; `listed_by` returns the accounts
        that list a number.
        """
        self._scope = scope
        self._listed_by = listed_by
        self._database = database
        self._starter = starter
        self._verifiers = verifiers
        self._answers = InboundAnswers(database.contact_keys, start_within)
        self._clock = clock

    async def take(self, account: str, webhook: Webhook) -> None:
        """Store one text, apply its keyword and start its answer.

        Raises:
            NotFound: no such account, or the number is not ours.
            Forbidden: the signature is wrong.
            BadRequest: the body cannot be parsed although its signature is right.
        """
        reported = await verify(self._verifiers, account, webhook)
        if reported is None:
            return
        try:
            text = readable_text(reported)
        except (ValueError, OverflowError) as error:
            raise MalformedJson("Signed, but the body is not an inbound text.") from error
        answer = await self._record(account, text)
        if answer is not None:
            self._starter.start(answer)

    async def list(
        self, caller: Caller, wanted: InboundFilter, page: Page
    ) -> Slice[InboundMessageView]:
        """Return a page of texts, newest first; a merchant-scoped key sees its merchant's only."""
        async with self._database.read() as db:
            after = await find_cursor_row(db, InboundMessage, caller.tenant_id, page.after_id())
            rows = await inbound_texts.list_inbound(
                db,
                await narrow_scope(db, caller, wanted.merchant_id),
                contact_key=(
                    None
                    if wanted.sender is None
                    else self._database.contact_keys.key_of_sender(wanted.sender)
                ),
                number=wanted.number,
                before=after,
                most=page.limit + 1,
            )
        found = page.cut(rows, lambda row: row.public_id)
        return Slice([inbound_view(row) for row in found.items], found.end)

    async def _record(self, account: str, text: InboundText) -> SendStart | None:
        """Store, apply and answer in one transaction; return the answer to start, if any.

        Texts of one contact to one number are serialized, so that a repeated one is detected and
        answers are counted exactly.
        """
        async with self._database.read() as looking:
            number = await find_number(looking, text.number, self._clock())
        if number is None:
            raise NotFound
        listed_by = self._listed_by(text.number)
        if not number.is_received_by(account, self._scope(account), listed_by):
            _note_foreign(account, number)
            return None
        key = self._database.contact_keys.key_of_sender(text.sender)
        talk = Conversation.read(account, text, number, key)
        lock_scope = LockScope(talk.tenant_id, f"{text.number} {key}", "inbound")
        async with self._database.transaction(lock_scope) as db:
            await inbound_texts.lock_conversation(db, talk.tenant_id, text.number, talk.contact_key)
            return await self._obey(db, talk)

    async def _obey(self, db: WriteSession, talk: Conversation) -> SendStart | None:
        writers = await inbound_texts.find_writers(
            db, talk.tenant_id, talk.text.number, talk.contact_key
        )
        named = talk.owner or next(iter(writers.sent), None)
        fresh = await inbound_texts.store(db, talk.row(named, self._clock()))
        if not (fresh and talk.contact) or talk.reading.kind is InboundKind.OTHER:
            return None
        merchants, writers = await _lock_merchants(db, talk, writers)
        sent = [talk.owner] if talk.owner else list(writers.sent)
        known = await inbound_texts.find_addressees(db, talk.tenant_id, merchants, talk.contact_key)
        moved = await self._change(db, talk, [known[id] for id in merchants], sent)
        if talk.text.answered or not (moved or talk.reading.kind is InboundKind.HELP):
            return None
        namesake = named or next((merchant for merchant in sent if merchant in known), None)
        if namesake is None or talk.given_back:
            return None
        return await self._answers.write(db, talk, known[namesake], self._clock())

    async def _change(
        self, db: WriteSession, talk: Conversation, known: Sequence[Addressee], sent: Sequence[int]
    ) -> bool:
        """Change consent according to the keyword; return whether anything changed."""
        match talk.reading.kind:
            case InboundKind.OPT_OUT:
                leaving = [
                    merchant
                    for merchant in known
                    if merchant.merchant_id in sent
                    and merchant.consent is not ConsentStatus.OPT_OUT
                ]
                source = stop_source(talk.text.number, literal=talk.reading.literal)
                for merchant in leaving:
                    await self._say(db, talk, merchant, ConsentStatus.OPT_OUT, source)
                return bool(leaving)
            case InboundKind.OPT_IN:
                return await self._undo(db, talk, known)
            case _:
                return False

    async def _undo(self, db: WriteSession, talk: Conversation, known: Sequence[Addressee]) -> bool:
        """Revert the STOPs to this number, including a carrier opt-out.

        For a merchant's own number it is an opt-in whatever the consent was. A text that was sent
        before an opt-out but arrived after it is outdated and changes nothing.
        """
        contact_key, number = talk.contact_key, talk.text.number
        if await inbound_texts.opted_out_since(
            db, talk.tenant_id, number, contact_key, talk.text.sent_at
        ):
            return False
        moved = False
        for merchant in known:
            stopped_here = merchant.consent is ConsentStatus.OPT_OUT and is_stop_source(
                merchant.source, number
            )
            owner = merchant.merchant_id == talk.owner and not talk.given_back
            if stopped_here or (owner and merchant.consent is not ConsentStatus.OPT_IN):
                await self._say(db, talk, merchant, ConsentStatus.OPT_IN, start_source(number))
                moved = True
            lifted = merchant.suppressions
            if not (stopped_here or owner):
                lifted &= {SuppressionReason.CARRIER_OPT_OUT}
            if lifted:
                await lift(
                    db,
                    tenant_id=talk.tenant_id,
                    merchant_id=merchant.merchant_id,
                    channel=Channel.SMS,
                    contact_key=contact_key,
                    contact=talk.contact,
                    reasons=lifted,
                    source=start_source(number),
                    now=self._clock(),
                )
                moved = True
        return moved

    async def _say(
        self,
        db: WriteSession,
        talk: Conversation,
        merchant: Addressee,
        status: ConsentStatus,
        source: str,
    ) -> None:
        await write_consent(
            db,
            tenant_id=talk.tenant_id,
            merchant_id=merchant.merchant_id,
            channel=Channel.SMS,
            contact_key=talk.contact_key,
            contact=talk.contact,
            status=status,
            source=source,
            now=self._clock(),  # read under the lock, so that the later write has the later time
        )


async def _lock_merchants(
    db: WriteSession, talk: Conversation, writers: Writers
) -> tuple[Sequence[int], Writers]:
    """Lock the contact for every merchant that the text may address; return the current writers.

    Sends in progress have committed before the lock is granted. A merchant that wrote for the first
    time while the locks were awaited is locked in a further round. This can deadlock with another
    text of the contact; then PostgreSQL aborts one, and its provider repeats it.
    """
    locked: set[int] = set()
    owner = {talk.owner} if talk.owner else set()
    while missing := {*writers.every, *owner} - locked:
        for merchant in sorted(missing):
            await lock_contact(
                db, talk.tenant_id, merchant, Channel.SMS, talk.contact_key, shared=False
            )
        locked |= missing
        writers = await inbound_texts.find_writers(
            db, talk.tenant_id, talk.text.number, talk.contact_key
        )
    return sorted(locked), writers


def _note_foreign(account: str, number: KnownNumber) -> None:
    """Count and log a text from an account that does not own the number."""
    REPORT_MISMATCHES.labels(account, Mismatch.ACCOUNT).inc()
    log.warning(
        "an inbound text came from another account than that of its number",
        extra={"tenant_id": number.tenant_id, "account": account},
    )


def inbound_view(row: StoredInbound) -> InboundMessageView:
    """Return the view of a stored text."""
    return InboundMessageView(
        id=str(row.public_id),
        sender=row.sender,
        number=row.number,
        body=row.body,
        kind=row.kind,
        merchant_id=row.merchant,
        received_at=row.received_at,
        sent_at=row.sent_at,
    )
