"""Common frame of the keyed requests on brands, campaigns and numbers."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

from api.http.auth import Caller
from api.http.idempotency import IdempotentRequest, find_answer
from api.http.outcomes import Accepted, Outcome, Replayed
from api.services.registration.scope import Scope, find_scope, start_registration_of
from api.workflow_starters import RegistrationStarter
from models.queries.registration.merchant_registrations import write_registration
from models.queries.registration.registrations import Row, StateChange, change_state
from models.rules.registration.vocabulary import RegistrationState
from models.session import Database, WriteSession
from models.tables.messaging import Brand, Campaign
from providers.registries import Registries

View = TypeVar("View")


class RegistrationActions:
    """Base class of the actions on one kind of row."""

    def __init__(
        self,
        database: Database,
        registries: Registries,
        starter: RegistrationStarter,
        clock: Callable[[], datetime],
        *,
        look_after: timedelta,
    ) -> None:
        self._database = database
        self._registries = registries
        self._starter = starter
        self._clock = clock
        self._look_after = look_after

    @asynccontextmanager
    async def _keyed(
        self, caller: Caller, merchant_id: str, request: IdempotentRequest
    ) -> AsyncIterator[tuple[WriteSession, Scope, dict[str, Any] | None]]:
        """Open the transaction of a request; yields the stored answer to its key, or None.

        The merchant is locked, so that concurrent actions on it are serialized.

        Raises:
            MerchantNotFound, TemporarilyUnavailable.
        """
        lock_scope = caller.lock_scope(merchant_id, request.route)
        async with self._database.transaction(lock_scope) as db:
            stored = await find_answer(db, caller, request)
            scope = await find_scope(db, self._registries, caller, merchant_id, locked=True)
            yield db, scope, stored

    async def _answer(
        self, row: Row | None, scope: Scope, view: View, *, fresh: bool
    ) -> Outcome[View]:
        """Start the workflow that the row requires, if any, after its transaction is committed."""
        await start_registration_of(self._starter, row, scope.merchant.external_id, fresh=fresh)
        return Accepted(view) if fresh else Replayed(view)

    async def _write_down(
        self, db: WriteSession, row: Brand | Campaign, *, submit: bool, now: datetime
    ) -> None:
        """Write a new or corrected row, and submit it unless it stays a draft."""
        following = RegistrationState.PENDING if submit else RegistrationState.DRAFT
        if (
            change_state(row, StateChange(state=following), now=now, look_after=self._look_after)
            and submit
        ):
            row.submitted_at = now
        await write_registration(db, row)
