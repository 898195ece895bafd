"""Secrets of webhook endpoints: shown once, rotated with an overlap, and stored nowhere."""

import logging
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from api.services.webhooks.endpoints import Webhooks
from models.rules.webhooks.endpoint_secrets import ROTATION_OVERLAP, EndpointSecrets
from models.session import Database
from models.settings import Settings
from tests.api.container import put_in, restored
from tests.api.doubles import Clock
from tests.api.integrator import Integrator
from tests.api.webhooks.hooks import URL, act, created

KEY = bytes(range(32))
NOW = datetime(2026, 4, 16, 12, tzinfo=UTC)


@pytest.fixture
def clocked(app: FastAPI, database: Database, settings: Settings, clock: Clock) -> Iterator[Clock]:
    """The service with a clock of the test."""
    with restored(app):
        service = Webhooks(database, settings.webhook_key(), clock, local=False)
        put_in(app, "webhooks", endpoints=service)
        yield clock


async def secrets_of(database: Database, who: Integrator, webhook_id: str) -> EndpointSecrets:
    """Return what the worker derives the secrets of an endpoint from."""
    statement = (
        "SELECT public_id, secret_version, previous_secret_until FROM webhook_endpoint"
        " WHERE tenant_id = :tenant AND public_id = :id"
    )
    values = {"tenant": who.tenant_id, "id": int(webhook_id)}
    async with database.read() as db:
        endpoint, version, until = (await db.execute(text(statement), values)).one()
    return EndpointSecrets(
        tenant=who.tenant_public_id, endpoint=endpoint, version=version, previous_until=until
    )


async def test_the_secret_is_the_one_that_deliveries_are_signed_with(
    integrator: Integrator, database: Database, settings: Settings
) -> None:
    made = await created(integrator)
    secrets = await secrets_of(database, integrator, made["webhookId"])
    assert secrets.valid(settings.webhook_key(), datetime.now(UTC)) == [made["secret"]]


async def test_endpoints_have_different_secrets(
    integrator: Integrator, stranger: Integrator
) -> None:
    made = [await created(who) for who in (integrator, integrator, stranger)]
    assert len({view["secret"] for view in made}) == 3


async def test_both_secrets_sign_for_a_day_after_a_rotation(
    integrator: Integrator, database: Database, settings: Settings, clocked: Clock
) -> None:
    key = settings.webhook_key()
    made = await created(integrator)
    webhook_id, first = made["webhookId"], made.pop("secret")
    answer = await act(integrator, "POST", f"{webhook_id}/rotate-secret")
    assert answer.status_code == 200, answer.text
    second = answer.json().pop("secret")
    assert {**made, "secret": second} == answer.json()
    secrets, now = await secrets_of(database, integrator, webhook_id), clocked()
    almost = now + ROTATION_OVERLAP - timedelta(seconds=1)
    assert secrets.valid(key, now) == secrets.valid(key, almost) == [second, first]
    assert secrets.valid(key, now + ROTATION_OVERLAP) == [second]


async def test_rotated_twice_only_the_two_newest_sign(
    integrator: Integrator, database: Database, settings: Settings
) -> None:
    webhook_id = (await created(integrator))["webhookId"]
    path = f"{webhook_id}/rotate-secret"
    second = (await act(integrator, "POST", path)).json()["secret"]
    third = (await act(integrator, "POST", path)).json()["secret"]
    secrets = await secrets_of(database, integrator, webhook_id)
    assert secrets.valid(settings.webhook_key(), datetime.now(UTC)) == [third, second]


async def test_a_replayed_answer_has_no_secret_and_does_not_rotate_again(
    integrator: Integrator, database: Database
) -> None:
    first = await integrator.post("/webhooks", {"url": URL}, "k")
    again = await integrator.post("/webhooks", {"url": URL}, "k")
    view = first.json()
    assert view.pop("secret")
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (view, "true")
    path = f"{view['webhookId']}/rotate-secret"
    assert "secret" in (await act(integrator, "POST", path, "k")).json()
    replayed = await act(integrator, "POST", path, "k")
    assert (replayed.status_code, replayed.json()) == (200, view)
    assert (await secrets_of(database, integrator, view["webhookId"])).version == 2


async def test_secrets_are_in_no_other_answer_row_or_log(
    integrator: Integrator, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = await integrator.post("/webhooks", {"url": URL}, "a")
    webhook_id = made.json()["webhookId"]
    rotated = await act(integrator, "POST", f"{webhook_id}/rotate-secret", "b")
    secrets = [made.json()["secret"], rotated.json()["secret"]]
    assert len(set(secrets)) == 2
    path = f"/webhooks/{webhook_id}"
    answers = [
        await integrator.get("/webhooks"),
        await integrator.get(path),
        await integrator.post(path, {"description": "x"}),
        await act(integrator, "POST", f"{webhook_id}/test"),
        await integrator.get(f"{path}/deliveries"),
        await integrator.post("/webhooks", {"url": URL}, "a"),
        await act(integrator, "POST", f"{webhook_id}/rotate-secret", "b"),
    ]
    stored = [row async for row in _all_rows(database)]
    assert len(stored) > 20
    written = [*(answer.text for answer in answers), *stored, caplog.text]
    for secret in secrets:
        bare = secret.removeprefix("whsec_")
        assert [text for text in written if bare in text] == []


async def _all_rows(database: Database) -> AsyncIterator[str]:
    """Yield every row of the database as text."""
    tables = text(
        "SELECT table_name FROM information_schema.tables"
        " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
    )
    async with database.read() as db:
        for name in list(await db.scalars(tables)):
            for row in await db.scalars(text(f"SELECT t::text FROM {name} t LIMIT 20000")):
                yield row


def test_the_label_of_an_endpoint_is_unambiguous() -> None:
    def secret(tenant: int, endpoint: int, version: int = 1) -> str:
        of = EndpointSecrets(tenant=tenant, endpoint=endpoint, version=version, previous_until=None)
        return of.current(KEY)

    alike = [(1, 23), (12, 3), (123, 1), (1, 231), (23, 1), (2, 31)]
    assert len({secret(*ids) for ids in alike}) == len(alike)
    assert len({secret(1, 1, version) for version in range(1, 30)}) == 29
    assert secret(1, 23) == secret(1, 23)


@pytest.mark.parametrize(
    ("left", "count"), [(timedelta(seconds=1), 2), (timedelta(), 1), (timedelta(-1), 1)]
)
def test_the_previous_secret_is_valid_until_its_time(left: timedelta, count: int) -> None:
    secrets = EndpointSecrets(tenant=1, endpoint=2, version=3, previous_until=NOW + left)
    assert len(secrets.valid(KEY, NOW)) == count
