"""Provisioning: created on the first request, shown to its tenant only, no stored password."""

import asyncio
import base64
import hashlib
import hmac
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from models.rules.voice.sip import SipSecrets, digest_ha1
from models.session import Database
from models.settings import Settings
from tests.api.doubles import Clock
from tests.api.integrator import GYM, Integrator, make_integrator, make_merchant
from tests.shown_ids import shown as shown_id
from tests.voice.harness import SECRET, TURN_SECRET, Harness
from workflows.voice.types import ProvisionInput

PATH = "/voice/provisioning"
ROTATE = f"{PATH}/rotate"
GYM_A = {"merchantId": "gym-a"}


async def provisioning(integrator: Integrator, merchant: str = "gym-a") -> dict[str, Any]:
    answer = await integrator.get(PATH, merchantId=merchant)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return dict(answer.json())


async def password(integrator: Integrator, merchant: str = "gym-a") -> str:
    return str((await provisioning(integrator, merchant))["sip"]["password"])


async def test_without_credentials_everything_is_401(http: httpx.AsyncClient) -> None:
    answers = [
        await http.get(f"/api/v1{PATH}"),
        await http.post(f"/api/v1{ROTATE}", json=GYM_A),
        await http.get(f"/api/v1{PATH}/presence"),
        await http.post(f"/api/v1{PATH}/presence", json={}),
    ]
    assert [answer.status_code for answer in answers] == [401] * 4


async def test_another_tenants_merchant_is_404(gym: Integrator, stranger: Integrator) -> None:
    await provisioning(gym)
    answers = [
        await stranger.get(PATH, **GYM_A),
        await stranger.post(ROTATE, GYM_A),
    ]
    assert {(a.status_code, a.json()["code"]) for a in answers} == {(404, "MERCHANT_NOT_FOUND")}


async def test_a_merchants_key_is_shown_its_own_and_rotates_it(
    gym: Integrator, database: Database, http: httpx.AsyncClient
) -> None:
    own = await make_merchant(database, gym.tenant_id, "own")
    key = await make_integrator(database, http, gym.tenant_id, own)
    first = await password(key, "own")
    assert await password(gym, "own") == first
    rotated = await key.post(ROTATE, {"merchantId": "own"})
    assert (rotated.status_code, rotated.json()["sip"]["password"] == first) == (200, False)
    answers = [await key.get(PATH, **GYM_A), await key.post(ROTATE, GYM_A)]
    assert [answer.status_code for answer in answers] == [404] * 2


async def test_the_response_has_all_that_a_client_needs(gym: Integrator, harness: Harness) -> None:
    shown = await provisioning(gym)
    user = await harness.user(gym)
    merchant = await shown_id(harness.database, "merchant", user.merchant_id)
    assert shown["sip"] == {
        "domain": "sip.example.com",
        "registrar": "sip-1.example.com",
        "username": f"t{gym.tenant_public_id:x}m{merchant:x}",
        "password": shown["sip"]["password"],
        "authRealm": "sip.example.com",
        "transports": ["UDP", "TCP", "TLS", "WSS"],
        "port": 5060,
        "expiresSeconds": 300,
    }
    assert shown["browser"]["websocketUrl"] == "wss://sip-1.example.com:8443"
    assert set(shown) == {"merchantId", "sip", "browser", "codecs", "presence"}
    assert shown["presence"] == {
        "merchantId": "gym-a",
        "username": shown["sip"]["username"],
        "state": "OFFLINE",
        "userAgent": None,
        "contact": None,
        "expiresAt": None,
        "updatedAt": None,
    }


async def test_the_table_keeps_only_what_a_registrar_needs(
    gym: Integrator, harness: Harness
) -> None:
    sip = (await provisioning(gym))["sip"]
    text = f"{sip['username']}:{sip['authRealm']}:{sip['password']}"
    user = await harness.user(gym)
    assert user.ha1 == hashlib.md5(text.encode()).hexdigest()
    assert (user.version, user.pushed_version, user.rotated_at) == (1, 0, None)


async def test_many_first_calls_at_once_make_one_user(gym: Integrator, harness: Harness) -> None:
    shown = await asyncio.gather(*(provisioning(gym) for _ in range(12)))
    assert len({(s["sip"]["username"], s["sip"]["password"]) for s in shown}) == 1
    assert (await harness.user(gym)).version == 1


async def test_every_merchant_has_a_user_and_a_password_of_its_own(gym: Integrator) -> None:
    await gym.post("/merchants", {**GYM, "merchantId": "gym-b"})
    one, other = (await provisioning(gym))["sip"], (await provisioning(gym, "gym-b"))["sip"]
    assert one["username"] != other["username"]
    assert one["password"] != other["password"]


async def test_a_repeated_rotation_rotates_once_and_shows_what_holds_now(
    gym: Integrator, harness: Harness
) -> None:
    first = await password(gym)
    answers = [await gym.post(ROTATE, GYM_A, key="k") for _ in range(3)]
    shown = {answer.json()["sip"]["password"] for answer in answers}
    assert len(shown) == 1
    assert first not in shown
    assert [a.headers.get("Idempotency-Replayed") for a in answers] == [None, "true", "true"]
    await gym.post(ROTATE, GYM_A, key="another")
    late = await gym.post(ROTATE, GYM_A, key="k")
    assert late.json()["sip"]["password"] == await password(gym)
    assert (await harness.user(gym)).version == 3


async def test_a_rotation_may_be_the_first_call(
    gym: Integrator, harness: Harness, clock: Clock
) -> None:
    rotated = await gym.post(ROTATE, GYM_A, key="k")
    assert rotated.json()["sip"]["password"] == await password(gym)
    user = await harness.user(gym)
    assert (user.version, user.rotated_at) == (1, clock.now)


async def test_rotations_at_once_with_one_key_are_one(gym: Integrator, harness: Harness) -> None:
    await provisioning(gym)
    answers = await asyncio.gather(*(gym.post(ROTATE, GYM_A, key="k") for _ in range(8)))
    assert len({answer.json()["sip"]["password"] for answer in answers}) == 1
    assert (await harness.user(gym)).version == 2


async def test_rotations_at_once_without_a_key_follow_each_other(
    gym: Integrator, harness: Harness
) -> None:
    await provisioning(gym)
    answers = await asyncio.gather(*(gym.post(ROTATE, GYM_A) for _ in range(8)))
    assert len({answer.json()["sip"]["password"] for answer in answers}) == 8
    assert (await harness.user(gym)).version == 9


async def test_a_key_used_for_another_merchant_is_422_and_changes_nothing(gym: Integrator) -> None:
    await gym.post("/merchants", {**GYM, "merchantId": "gym-b"})
    await gym.post(ROTATE, GYM_A, key="k")
    before = await password(gym, "gym-b")
    refused = await gym.post(ROTATE, {"merchantId": "gym-b"}, key="k")
    assert (refused.status_code, refused.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert await password(gym, "gym-b") == before


@pytest.mark.parametrize(
    "body", [{}, {"merchantId": "no such"}, {**GYM_A, "password": "mine"}, {"merchantId": 7}, []]
)
async def test_a_wrong_body_is_400_and_rotates_nothing(gym: Integrator, body: Any) -> None:
    before = await password(gym)
    assert (await gym.post(ROTATE, body)).status_code == 400
    assert await password(gym) == before
    assert (await gym.get(PATH)).status_code == 400
    assert (await gym.get(PATH, merchantId="gym-a", user="x")).status_code == 400


async def test_no_secret_is_stored_or_logged(
    gym: Integrator, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answers = [
            await gym.get(PATH, **GYM_A),
            await gym.post(ROTATE, GYM_A, key="k"),
            await gym.post(ROTATE, GYM_A, key="k"),
        ]
    secrets = set()
    for answer in answers:
        browser = answer.json()["browser"]
        turn = browser["iceServers"][1]["credential"]
        secrets |= {answer.json()["sip"]["password"], browser["token"], turn}
    written = caplog.text + "".join(str(vars(record)) for record in caplog.records)
    with psycopg.connect(database_url) as db:
        tables = db.execute(
            "SELECT schemaname, tablename FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for table in tables:
            rows = db.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(*table)))
            written += "".join(row for (row,) in rows)
    assert f"t{gym.tenant_public_id:x}m" in written
    assert [secret for secret in secrets if secret in written] == []


async def test_turn_credentials_are_those_a_turn_server_computes(
    gym: Integrator, clock: Clock
) -> None:
    shown = await provisioning(gym)
    stun, turn = shown["browser"]["iceServers"]
    assert stun == {
        "urls": ["stun:stun.example.com:3478"],
        "username": None,
        "credential": None,
    }
    assert turn["urls"] == [
        "turn:sip-1.example.com:3478?transport=udp",
        "turn:sip-1.example.com:3478?transport=tcp",
    ]
    expiry, _, user = turn["username"].partition(":")
    assert user == shown["sip"]["username"]
    left = datetime.fromtimestamp(int(expiry), UTC) - clock.now
    assert timedelta(hours=23, minutes=59) < left <= timedelta(hours=24)
    signed = hmac.new(TURN_SECRET.encode(), turn["username"].encode(), hashlib.sha1).digest()
    assert turn["credential"] == base64.b64encode(signed).decode()


async def test_the_browsers_token_names_its_owner_and_ends(
    gym: Integrator, clock: Clock, harness: Harness
) -> None:
    browser = (await provisioning(gym))["browser"]
    key = SipSecrets(SECRET).token_key
    claims = jwt.decode(browser["token"], key, algorithms=["HS256"], audience="sip.example.com")
    user = await harness.user(gym)
    until = datetime.fromtimestamp(claims["exp"], UTC)
    assert {name: claims[name] for name in ("iss", "sub", "tenant", "merchant")} == {
        "iss": "hexavox",
        "sub": user.username,
        "tenant": str(gym.tenant_public_id),
        "merchant": "gym-a",
    }
    assert browser["tokenExpiresAt"] == until.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert timedelta(0) < clock.now + timedelta(hours=1) - until < timedelta(seconds=1)
    again = (await provisioning(gym))["browser"]["token"]
    assert jwt.decode(again, options={"verify_signature": False})["jti"] != claims["jti"]
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(browser["token"], SECRET.encode().ljust(32, b"0"), algorithms=["HS256"])
    clock.now -= timedelta(hours=1, seconds=2)
    ended = (await provisioning(gym))["browser"]["token"]
    with pytest.raises(jwt.ExpiredSignatureError):
        jwt.decode(ended, key, algorithms=["HS256"], audience="sip.example.com")


async def test_without_a_turn_secret_no_turn_server_is_named(
    gym: Integrator, settings: Settings, harness: Harness
) -> None:
    plain = settings.model_copy(update={"turn_secret": None, "stun_urls": ()})
    harness.serve(place=plain.voice_place)
    assert (await provisioning(gym))["browser"]["iceServers"] == []


@pytest.mark.parametrize(
    "change",
    [{"sip_realm": "other.example.com"}, {"server_secret": SecretStr("a new one of enough")}],
)
async def test_a_new_realm_or_server_secret_makes_a_new_password_that_fits(
    gym: Integrator, settings: Settings, harness: Harness, change: dict[str, Any]
) -> None:
    before = await password(gym)
    changed = settings.model_copy(update=change)
    assert changed.server_secret is not None
    harness.serve(place=changed.voice_place, secret=changed.server_secret.get_secret_value())
    shown = [answer["sip"] for answer in await asyncio.gather(*map(provisioning, [gym] * 4))]
    user = await harness.user(gym)
    assert [sip["password"] for sip in shown] == [shown[0]["password"]] * 4
    assert shown[0]["password"] != before
    assert (user.version, user.realm) == (2, shown[0]["authRealm"])
    assert user.ha1 == digest_ha1(user.username, user.realm, shown[0]["password"])


async def test_an_external_directory_gets_every_version(gym: Integrator, harness: Harness) -> None:
    told: list[ProvisionInput] = []

    async def push(user: ProvisionInput) -> None:
        told.append(user)

    harness.serve(push=push)
    await provisioning(gym)
    await gym.post(ROTATE, GYM_A, key="k")
    user = await harness.user(gym)
    assert user.id is not None
    assert told == [
        ProvisionInput(
            tenant_id=gym.tenant_id,
            credential_id=user.id,
            public_id=user.public_id,
            version=version,
        )
        for version in (1, 2)
    ]
    await gym.post(ROTATE, GYM_A, key="k")
    assert told[2:] == told[1:2]
