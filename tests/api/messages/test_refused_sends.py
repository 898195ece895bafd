"""A refused send with a used key is a replay, whatever the refusal; a new key needs no look-up."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError, OperationalError

from api.http.auth import Caller
from api.http.idempotency import IdempotentRequest
from api.http.outcomes import Accepted, Replayed
from api.schemas.messages import V1OmniSmsSendRequest
from api.services.messages.accept import Sending
from api.services.messages.admission import Admission
from api.services.messages.drafts import Draft
from api.services.messages.permission import Permission, Permissions, UnsubscribeLinks
from api.services.messages.routed_senders import RoutedSenders
from models.database.transaction_limits import LockScope
from models.errors import HexavoxError, IdempotencyKeyReused, RateLimited
from models.session import Database, ReadSession, WriteSession
from providers.routing import Routes
from tests.api.doubles import Clock, FakeStarter
from tests.api.integrator import SMS, Integrator
from tests.contacts import CONTACT_KEYS
from tests.factories import unique

LINKS = UnsubscribeLinks("http://api.test", "only-for-tests-too")
ORDER = V1OmniSmsSendRequest.model_validate(SMS)
INVALID_ORDER = ORDER.model_copy(update={"to": "nobody"})


def every_error(kind: type[HexavoxError] = HexavoxError) -> Iterator[HexavoxError]:
    """Return one instance of every error class."""
    yield kind(retry_after=1) if issubclass(kind, RateLimited) else kind()
    for narrower in kind.__subclasses__():
        yield from every_error(narrower)


REASONS: list[HexavoxError | DBAPIError] = [
    *every_error(),
    OperationalError("COMMIT", {}, Exception("the connection is lost")),
]


class ScriptedPermissions(Permissions):
    """Refuses with the given error; without one it runs the real checks."""

    reason: HexavoxError | DBAPIError | None = None

    async def obtain(self, caller: Caller, draft: Draft, wanted_at: datetime) -> Permission:
        if self.reason is not None:
            raise self.reason
        return await super().obtain(caller, draft, wanted_at)


class CountedSession:
    """Counts the statements of a session."""

    def __init__(self, session: ReadSession | WriteSession, statements: list[str]) -> None:
        self._session = session
        self._statements = statements

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._session, name)
        if name not in {"execute", "scalar", "scalars", "get"}:
            return found

        async def noted(statement: Any, *arguments: Any, **options: Any) -> Any:
            self._statements.append(str(statement))
            return await found(statement, *arguments, **options)

        return noted


class CountedDatabase(Database):
    """Counts the statements of its sessions."""

    statements: list[str]

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        async with super().read() as db:
            yield cast(ReadSession, CountedSession(db, self.statements))

    @asynccontextmanager
    async def transaction(
        self, lock_scope: LockScope | None = None, *, wait_when_locked: bool = False
    ) -> AsyncIterator[WriteSession]:
        async with super().transaction(lock_scope, wait_when_locked=wait_when_locked) as db:
            yield cast(WriteSession, CountedSession(db, self.statements))


class SendHarness:
    """The real service on a counted database, for one merchant."""

    def __init__(self, database: CountedDatabase, gym: Integrator) -> None:
        self.database = database
        self.permissions = ScriptedPermissions(database, LINKS, RoutedSenders(Routes([], {})))
        self.starter = FakeStarter()
        self.sending = Sending(
            database,
            self.starter,
            self.permissions,
            admission=Admission(database, limit=100_000),
            start_within=timedelta(minutes=1),
            clock=Clock(),
        )
        self.caller = Caller(
            tenant_id=gym.tenant_id,
            tenant_public_id=0,
            key_id=0,
            merchant_id=None,
            merchant_public_id=None,
            merchant=None,
        )

    async def send(
        self, request: IdempotentRequest, order: V1OmniSmsSendRequest = ORDER
    ) -> Accepted[Any] | Replayed[Any]:
        self.database.statements.clear()
        return await self.sending.accept_sms(self.caller, order, request)


def request_of(key: str | None, fingerprint: str = "f" * 64) -> IdempotentRequest:
    route = "POST /api/v1/messages/sms"
    return IdempotentRequest(route=route, scope="", key=key, fingerprint=fingerprint)


@pytest.fixture
async def send_harness(database_url: str, gym: Integrator) -> AsyncIterator[SendHarness]:
    """A service with scripted permissions."""
    database = CountedDatabase(database_url, pool_size=3, contact_keys=CONTACT_KEYS)
    database.statements = []
    yield SendHarness(database, gym)
    await database.close()


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: type(reason).__name__)
async def test_any_reason_beside_a_used_key_is_a_replay_or_the_reuse_of_a_key(
    send_harness: SendHarness, reason: HexavoxError | DBAPIError
) -> None:
    used = request_of("used")
    first = await send_harness.send(used)
    assert isinstance(first, Accepted)
    send_harness.permissions.reason = reason
    assert await send_harness.send(used) == Replayed(first.body)
    with pytest.raises(IdempotencyKeyReused):
        await send_harness.send(replace(used, fingerprint="0" * 64))
    for unused in (request_of("unused"), request_of(None)):
        with pytest.raises(type(reason)) as refused:
            await send_harness.send(unused)
        assert refused.value is reason


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    reason=st.sampled_from([None, *REASONS]),
    order=st.sampled_from([ORDER, INVALID_ORDER]),
    known=st.sampled_from(["f" * 64, "0" * 64, None]),
    keyed=st.booleans(),
)
async def test_the_key_decides_before_the_reason_does(
    send_harness: SendHarness,
    reason: HexavoxError | DBAPIError | None,
    order: V1OmniSmsSendRequest,
    known: str | None,
    keyed: bool,
) -> None:
    key = unique("key")
    send_harness.permissions.reason = None
    first = None if known is None else await send_harness.send(request_of(key, known))
    send_harness.permissions.reason = reason
    request = request_of(key if keyed else None)
    refused = reason is not None or order is INVALID_ORDER
    if keyed and known == request.fingerprint:
        assert first is not None
        assert await send_harness.send(request, order) == Replayed(first.body)
    elif keyed and known is not None:
        with pytest.raises(IdempotencyKeyReused):
            await send_harness.send(request, order)
    elif refused:
        with pytest.raises((HexavoxError, DBAPIError)) as raised:
            await send_harness.send(request, order)
        assert not isinstance(raised.value, IdempotencyKeyReused) or raised.value is reason
    else:
        assert isinstance(await send_harness.send(request, order), Accepted)


@pytest.mark.parametrize("key", ["new", None])
async def test_a_first_use_is_one_look_at_policy_and_one_statement_that_accepts(
    send_harness: SendHarness, key: str | None
) -> None:
    assert isinstance(await send_harness.send(request_of(key)), Accepted)
    policy, accepting = send_harness.database.statements
    assert "INSERT" not in policy
    assert "INSERT INTO message" in accepting


async def test_a_replay_costs_one_statement_more_and_a_refusal_without_key_none(
    send_harness: SendHarness,
) -> None:
    await send_harness.send(request_of("once"))
    assert isinstance(await send_harness.send(request_of("once")), Replayed)
    assert len(send_harness.database.statements) == 3
    with pytest.raises(HexavoxError):
        await send_harness.send(request_of(None), INVALID_ORDER)
    assert send_harness.database.statements == []
