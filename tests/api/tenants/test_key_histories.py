"""Random histories of keys: created, used, deleted and expired, and compared with a model.

A key that was deleted may be known to a process for two seconds. Creations and deletions run on a
process that knows every key since its first use; uses run on one that knows none.
"""

import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import httpx
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from api.http.auth import Authenticator
from api.services.tenants.api_keys import ApiKeys
from models.enums import KeyScope
from models.session import Database
from tests.api.container import restored, services_of
from tests.api.doubles import Clock
from tests.api.integrator import Integrator, make_integrator, make_merchant
from tests.api.tenants.key_calls import listed, own_id, use

EXAMPLES = int(os.environ.get("KEY_EXAMPLES", "40"))
START = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
ADMIN = KeyScope.ADMIN


@dataclass(frozen=True, slots=True)
class Create:
    """Create a key with another one, and repeat the request."""

    by: int
    scopes: frozenset[KeyScope]
    of_merchant: bool
    expires_in: int | None


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a key with another one or itself, and repeat the request."""

    by: int
    target: int


@dataclass(frozen=True, slots=True)
class Use:
    """Read with a key."""

    key: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Let time pass."""

    hours: int


Action: TypeAlias = Create | Delete | Use | Wait


@dataclass(slots=True)
class Known:
    """A key in the model."""

    key_id: str
    user: Integrator
    scopes: frozenset[KeyScope]
    of_merchant: bool
    expires_at: datetime | None
    deleted: bool = False

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    def lasts_as_long_as(self, other: "Known") -> bool:
        if self.expires_at is None or other.expires_at is None:
            return self.expires_at is None
        return self.expires_at >= other.expires_at

    def is_of_the_tenants_admins(self, now: datetime) -> bool:
        usable = not self.deleted and not self.is_expired(now)
        return usable and not self.of_merchant and ADMIN in self.scopes


@dataclass
class History:
    """The API and what must be true of it."""

    app: FastAPI
    database: Database
    clock: Clock
    root: Integrator
    keys: list[Known] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)

    async def run(self, action: Action) -> None:
        """Carry out an action and compare the answer with the model."""
        match action:
            case Create():
                await self._create(action)
            case Delete():
                await self._delete(action)
            case Use(key):
                await self._use(self._key(key))
            case Wait(hours):
                self.clock.now += timedelta(hours=hours)
        now = self.clock.now
        assert any(
            key.expires_at is None and key.is_of_the_tenants_admins(now) for key in self.keys
        )

    async def finish(self) -> None:
        """Check the end of a history: secrets, and every key once more."""
        for secret in self.secrets:
            assert sum(secret in answer for answer in self.answers) == 1
        for key in self.keys:
            await self._use(key)
        now = self.clock.now
        admin = next(key for key in self.keys if key.is_of_the_tenants_admins(now))
        if KeyScope.READ in admin.scopes:
            shown = {view["keyId"] for view in await listed(admin.user, limit="500")}
            assert shown == {key.key_id for key in self.keys if not key.deleted}

    def _key(self, number: int) -> Known:
        return self.keys[number % len(self.keys)]

    def _refused(self, by: Known) -> set[tuple[int, str]]:
        """Return the answers to a key that may create and delete nothing at all."""
        if by.is_expired(self.clock.now):
            return {(401, "INVALID_CREDENTIALS")}
        refused = set() if ADMIN in by.scopes else {(403, "SCOPE_MISSING")}
        return refused | ({(401, "INVALID_CREDENTIALS")} if by.deleted else set())

    async def _create(self, action: Create) -> None:
        by, now = self._key(action.by), self.clock.now
        expires_at = None if action.expires_in is None else now + timedelta(hours=action.expires_in)
        body: dict[str, Any] = {
            "name": "Another",
            "scopes": sorted(action.scopes),
            "expiresAt": None if expires_at is None else expires_at.isoformat(),
        }
        if action.of_merchant:
            body["merchantId"] = "gym-a"
        word = f"create-{len(self.answers)}"
        answer = await by.user.post("/keys", body, key=word)
        refused = self._refused(by)
        too_long = by.expires_at is not None and (expires_at is None or expires_at > by.expires_at)
        if not refused and (action.scopes - by.scopes or too_long):
            refused = {(403, "SCOPE_MISSING")}
        if self._is_refused(answer, refused):
            event("creation refused")
            return
        made = answer.json()
        self.secrets.append(made["apiSecret"])
        assert by.scopes >= set(made["scopes"]) == action.scopes
        assert made["merchantId"] == ("gym-a" if action.of_merchant or by.of_merchant else None)
        self.keys.append(
            Known(
                made["keyId"],
                use(by.user, made),
                action.scopes,
                made["merchantId"] is not None,
                expires_at,
            )
        )
        again = await by.user.post("/keys", body, key=word)
        self.answers.append(again.text)
        assert again.json() == {name: made[name] for name in made if name != "apiSecret"}
        event("created")

    async def _delete(self, action: Delete) -> None:
        by, target = self._key(action.by), self._key(action.target)
        now = self.clock.now
        refused = self._refused(by)
        if not refused and (target.deleted or (by.of_merchant and not target.of_merchant)):
            refused = {(404, "KEY_NOT_FOUND")}
        others = [key for key in self.keys if key is not target]
        if not refused and target.is_of_the_tenants_admins(now):
            remaining = [key for key in others if key.is_of_the_tenants_admins(now)]
            if not any(key.lasts_as_long_as(target) for key in remaining):
                refused = {(409, "LAST_ADMIN_KEY")}
        path, word = f"/api/v1/keys/{target.key_id}", f"delete-{len(self.answers)}"
        headers = {**by.user.headers, "Idempotency-Key": word}
        answer = await by.user.client.delete(path, headers=headers)
        if self._is_refused(answer, refused):
            event(f"deletion refused: {answer.json()['code']}")
            return
        assert answer.status_code == 204
        target.deleted = True
        again = await by.user.client.delete(path, headers=headers)
        assert again.status_code in ({204, 401} if by is target else {204})
        event("deleted")

    async def _use(self, key: Known) -> None:
        services = services_of(self.app)
        with restored(self.app):
            unknowing = Authenticator(self.database, services.authenticator._failures, self.clock)
            self.app.state.services = replace(services, authenticator=unknowing)
            answer = await key.user.get("/merchants")
        if key.deleted or key.is_expired(self.clock.now):
            assert answer.status_code == 401
        else:
            assert answer.status_code == (200 if KeyScope.READ in key.scopes else 403)

    def _is_refused(self, answer: httpx.Response, refused: set[tuple[int, str]]) -> bool:
        self.answers.append(answer.text)
        if answer.status_code < 300:
            assert not refused, (answer.status_code, refused)
            return False
        assert (answer.status_code, answer.json()["code"]) in refused, answer.text
        return True


NUMBERS = st.integers(0, 9)
SCOPES = st.frozensets(st.sampled_from(KeyScope), min_size=1) | st.just(frozenset(KeyScope))
ACTIONS = st.lists(
    st.builds(
        Create,
        by=NUMBERS,
        scopes=SCOPES,
        of_merchant=st.booleans(),
        expires_in=st.none() | st.integers(1, 5),
    )
    | st.builds(Delete, by=NUMBERS, target=NUMBERS)
    | st.builds(Use, key=NUMBERS)
    | st.builds(Wait, hours=st.integers(1, 3)),
    min_size=1,
    max_size=30,
)


@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@given(actions=ACTIONS)
async def test_no_history_of_keys_gives_away_anything(
    app: FastAPI, database: Database, client: httpx.AsyncClient, actions: list[Action]
) -> None:
    root = await make_integrator(database, client)
    await make_merchant(database, root.tenant_id)
    services, clock = services_of(app), Clock(START)
    with restored(app):
        app.state.services = replace(
            services,
            authenticator=Authenticator(database, services.authenticator._failures, clock),
            keys=ApiKeys(database, clock),
        )
        history = History(app, database, clock, root)
        every = frozenset(KeyScope)
        history.keys.append(Known(await own_id(root), root, every, False, None))
        for action in actions:
            await history.run(action)
        await history.finish()
