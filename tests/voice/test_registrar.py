"""A real registrar accepts the credentials of the API, and no others."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql

from tests.api.doubles import Clock
from tests.api.integrator import GYM, Integrator
from tests.voice.browser import Browser
from tests.voice.registrar import Answer, Phone, Registrar, missing

pytestmark = [
    pytest.mark.skipif(missing() is not None, reason=missing() or ""),
    pytest.mark.xdist_group("kamailio"),
]


@pytest.fixture(scope="module")
def registrar(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registrar]:
    with Registrar(database_url, tmp_path_factory.mktemp("kamailio")) as registrar:
        yield registrar


async def provisioned(gym: Integrator, merchant: str = "gym-a") -> dict[str, Any]:
    answer = await gym.get("/voice/provisioning", merchantId=merchant)
    sip: dict[str, Any] = answer.json()["sip"]
    return sip


async def presence(gym: Integrator, merchant: str = "gym-a") -> dict[str, Any]:
    (found,) = (await gym.get("/voice/provisioning/presence", merchantId=merchant)).json()
    shown = (await gym.get("/voice/provisioning", merchantId=merchant)).json()["presence"]
    assert found == shown
    return dict(found)


@pytest.mark.parametrize("transport", ["u1", "t1"])
async def test_a_client_with_the_apis_configuration_is_online_until_it_leaves(
    registrar: Registrar, gym: Integrator, transport: str
) -> None:
    phone = Phone(registrar, await provisioned(gym))
    assert (await presence(gym))["state"] == "OFFLINE"
    await phone.register(transport=transport)
    online = await presence(gym)
    assert (online["state"], online["userAgent"]) == ("ONLINE", "HexaPhone/2.1")
    assert online["contact"].startswith(f"sip:{phone.sip['username']}@127.0.0.1:")
    await phone.register(transport=transport, expires=0)
    assert (await presence(gym))["state"] == "OFFLINE"


async def test_a_browser_registers_over_a_websocket(registrar: Registrar, gym: Integrator) -> None:
    sip = await provisioned(gym)
    assert await Browser(registrar.port, sip).register() == [
        "HTTP/1.1 101 Switching Protocols",
        "SIP/2.0 401 Unauthorized",
        "SIP/2.0 200 OK",
    ]
    online = await presence(gym)
    assert (online["state"], online["userAgent"]) == ("ONLINE", "HexaPhone/web")
    wrong = {**sip, "password": "Hx1" + "c" * 26}
    assert (await Browser(registrar.port, wrong).register())[-1] == "SIP/2.0 401 Unauthorized"


async def test_a_registration_that_is_not_renewed_is_over_when_it_expires(
    registrar: Registrar, gym: Integrator, clock: Clock
) -> None:
    await Phone(registrar, await provisioned(gym)).register(expires=60)
    clock.now += timedelta(seconds=50)
    assert (await presence(gym))["state"] == "ONLINE"
    clock.now += timedelta(seconds=15)
    assert (await presence(gym))["state"] == "OFFLINE"


async def test_a_wrong_password_is_refused(registrar: Registrar, gym: Integrator) -> None:
    phone = Phone(registrar, await provisioned(gym))
    await phone.register(Answer.WRONG, password="Hx1" + "a" * 26)
    assert (await presence(gym))["state"] == "OFFLINE"


async def test_a_rotated_password_is_refused_and_the_new_one_taken(
    registrar: Registrar, gym: Integrator
) -> None:
    old = Phone(registrar, await provisioned(gym))
    await old.register()
    answer = await gym.post("/voice/provisioning/rotate", {"merchantId": "gym-a"})
    new = Phone(registrar, answer.json()["sip"])
    assert new.sip["password"] != old.sip["password"]
    await old.register(Answer.WRONG)
    await new.register()


async def test_no_user_registers_as_another(registrar: Registrar, gym: Integrator) -> None:
    await gym.post("/merchants", {**GYM, "merchantId": "gym-b"})
    other = await provisioned(gym, "gym-b")
    phone = Phone(registrar, await provisioned(gym))
    await phone.register(Answer.FORBIDDEN, address=other["username"])
    assert (await presence(gym, "gym-b"))["state"] == "OFFLINE"


async def test_a_posted_busy_state_survives_another_registration(
    registrar: Registrar, gym: Integrator, clock: Clock
) -> None:
    phone = Phone(registrar, await provisioned(gym))
    busy = {"merchantId": "gym-a", "username": phone.sip["username"], "state": "BUSY"}
    await gym.post("/voice/provisioning/presence", {**busy, "expiresSeconds": 60})
    await phone.register()
    assert (await presence(gym))["state"] == "BUSY"
    clock.now += timedelta(seconds=61)
    assert (await presence(gym))["state"] == "ONLINE"


async def test_the_registrars_role_sees_who_may_register_and_nothing_else(
    registrar: Registrar, gym: Integrator
) -> None:
    username = (await provisioned(gym))["username"]
    with psycopg.connect(registrar.database_url) as owner:
        tables = owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ours = [sql.Identifier("public", name) for (name,) in tables.fetchall()]
    assert len(ours) > 15
    with psycopg.connect(registrar.role_url, autocommit=True) as db:
        found = db.execute("SELECT * FROM subscriber WHERE username = %s", [username]).fetchall()
        assert [(name, domain, len(ha1)) for name, domain, ha1 in found] == [
            (username, "sip.example.com", 32)
        ]
        for table in ours:
            with pytest.raises(errors.InsufficientPrivilege):
                db.execute(sql.SQL("SELECT FROM {}").format(table))
        for forbidden in (
            "UPDATE subscriber SET ha1 = ''",
            "DELETE FROM version",
            "CREATE TABLE kamailio.mine ()",
            "CREATE TABLE public.mine ()",
            "CREATE ROLE friend",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                db.execute(sql.SQL(forbidden))


async def test_the_registrar_writes_no_password_and_no_contact_into_its_log(
    registrar: Registrar, gym: Integrator
) -> None:
    phone = Phone(registrar, await provisioned(gym))
    await phone.register()
    await phone.register(Answer.WRONG, password="Hx1" + "b" * 26)
    assert phone.sip["username"] not in registrar.log
    assert phone.sip["password"] not in registrar.log
