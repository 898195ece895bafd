"""Receivers of webhooks verify the signatures of Standard Webhooks."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from tests.simulator.harness import Running
from tests.simulator.hook import Hook, new_secret, sent_at, signed_by

BODY = '{"type":"message.delivered","data":{"text":"Grüße"}}'


@pytest.fixture
async def hook(running: Running) -> AsyncIterator[Hook]:
    """A receiver of this test."""
    async with httpx.AsyncClient(base_url=running.url, trust_env=False) as http:
        yield Hook(http)


async def verified(hook: Hook) -> list[tuple[bool | None, str | None]]:
    """Return the result of each verification."""
    return [(item["verified"], item["verificationError"]) for item in await hook.items()]


async def test_a_right_signature_is_verified(hook: Hook) -> None:
    secret = new_secret()
    await hook.behave(secret=secret)
    await hook.send(secret, body=BODY)
    assert await verified(hook) == [(True, None)]


async def test_without_a_secret_nothing_is_verified(hook: Hook) -> None:
    await hook.send(new_secret())
    assert await verified(hook) == [(None, None)]


async def test_a_wrong_signature_is_stored_and_answered_as_told(hook: Hook) -> None:
    await hook.behave(secret=new_secret())
    assert (await hook.send(new_secret())).status_code == 200
    assert await verified(hook) == [(False, "No matching signature found")]


async def test_any_of_two_secrets_verifies_during_a_rotation(hook: Hook) -> None:
    old, new = new_secret(), new_secret()
    await hook.behave(secret=[old, new])
    for secrets in ((old,), (new,), (new, old), (new_secret(), old), (new_secret(),)):
        await hook.send(*secrets)
    assert [ok for ok, _ in await verified(hook)] == [True, True, True, True, False]


async def test_one_of_two_signatures_is_enough_for_one_secret(hook: Hook) -> None:
    old, new = new_secret(), new_secret()
    for secret in (old, new):
        await hook.behave(secret=secret)
        await hook.send(new, old)
    assert await verified(hook) == [(True, None), (True, None)]


async def test_an_earlier_verification_stays_as_it_was(hook: Hook) -> None:
    secret = new_secret()
    await hook.send(secret)
    await hook.behave(secret=secret)
    await hook.send(secret)
    await hook.behave(secret=new_secret())
    assert [ok for ok, _ in await verified(hook)] == [None, True]


@pytest.mark.parametrize(
    ("minutes", "error"),
    [
        (4, None),
        (-4, None),
        (6, "Message timestamp too old"),
        (-6, "Message timestamp too new"),
    ],
)
async def test_a_stale_timestamp_is_not_verified(
    hook: Hook, minutes: int, error: str | None
) -> None:
    secret = new_secret()
    await hook.behave(secret=secret)
    at = sent_at(timedelta(minutes=minutes))
    await hook.post(BODY.encode(), signed_by(secret, id="msg_1", at=at, body=BODY))
    assert await verified(hook) == [(error is None, error)]


@pytest.mark.parametrize("changed", ["webhook-id", "webhook-timestamp", "body"])
async def test_a_signature_covers_id_time_and_body(hook: Hook, changed: str) -> None:
    secret = new_secret()
    await hook.behave(secret=secret)
    headers = signed_by(secret, id="msg_1", at=sent_at(), body=BODY)
    other = {"webhook-id": "msg_2", "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 1)}
    if changed in other:
        await hook.post(BODY.encode(), headers | {changed: other[changed]})
    else:
        await hook.post(BODY.encode() + b" ", headers)
    assert await verified(hook) == [(False, "No matching signature found")]


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
async def test_a_webhook_without_a_header_is_not_verified(hook: Hook, missing: str) -> None:
    secret = new_secret()
    await hook.behave(secret=secret)
    headers = signed_by(secret, id="msg_1", at=sent_at(), body=BODY)
    del headers[missing]
    assert (await hook.post(BODY.encode(), headers)).status_code == 200
    assert await verified(hook) == [(False, "Missing required headers")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("webhook-signature", "v1"),
        ("webhook-signature", "v1,a,b"),
        ("webhook-signature", "v1,A"),
        ("webhook-signature", "v1a,AAAA"),
        ("webhook-signature", ","),
        ("webhook-signature", "v1,\xff"),
        ("webhook-timestamp", "yesterday"),
        ("webhook-timestamp", "nan"),
        ("webhook-timestamp", "1e999"),
        ("webhook-timestamp", "9" * 4000),
        ("webhook-id", "\xff"),
    ],
)
async def test_a_malformed_header_is_not_verified(hook: Hook, name: str, value: str) -> None:
    secret = new_secret()
    await hook.behave(secret=secret)
    headers = signed_by(secret, id="msg_1", at=sent_at(), body=BODY)
    answer = await hook.post(BODY.encode(), headers | {name: value})
    assert answer.status_code == 200
    [(ok, error)] = await verified(hook)
    assert ok is False
    assert error


async def test_a_body_that_is_not_utf_8_is_not_verified(hook: Hook) -> None:
    secret = new_secret()
    await hook.behave(secret=secret)
    await hook.post(b"\xff", signed_by(secret, id="msg_1", at=sent_at(), body="?"))
    assert await verified(hook) == [(False, "The body is not UTF-8")]


async def test_no_answer_contains_a_secret(hook: Hook) -> None:
    secrets = [new_secret(), new_secret()]
    answers = [await hook.behave(mode="ok", secret=secrets), await hook.behaviour()]
    await hook.send(secrets[0])
    await hook.send(new_secret())
    answers += [await hook.listing(), await hook.delete(), await hook.delete("/behaviour")]
    for secret in secrets:
        assert secret.removeprefix("whsec_") not in json.dumps(answers)
