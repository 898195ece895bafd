"""Receivers of webhooks: everything that a sender can fill or occupy has a bound."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from simulator.access import LARGEST_WEBHOOK
from simulator.hooks.hook_routes import MOST_HANGING
from simulator.hooks.receivers import MOST_BYTES, MOST_RECEIVERS, MOST_WEBHOOKS
from tests.simulator.harness import Running
from tests.simulator.hook import Hook, new_secret

WITHIN_SECONDS = 5.0
POLLS = 100


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """A client without credentials of a simulator of this test, with any number of connections."""
    with Running() as running:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        async with httpx.AsyncClient(
            base_url=running.url, trust_env=False, limits=limits, timeout=60
        ) as http:
            yield http


async def waiting(hook: Hook) -> int:
    """Return how many webhooks a receiver has not answered so far."""
    return sum(item["status"] is None for item in await hook.items())


async def hang(hook: Hook) -> None:
    """Send a webhook that is not answered; while no place is free, send it again."""
    for _ in range(POLLS):
        assert (await hook.send()).status_code == 503
        await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def hanging(hook: Hook, count: int) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Send webhooks that are received and not answered; the clients go away afterwards."""
    enough = await waiting(hook) + count
    tasks = [asyncio.create_task(hang(hook)) for _ in range(count)]
    try:
        for _ in range(POLLS):
            if await waiting(hook) == enough:
                break
            await asyncio.sleep(0.05)
        else:
            raise AssertionError("not enough requests hang")
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_hanging_receiver_stores_and_does_not_answer(http: httpx.AsyncClient) -> None:
    hook, secret = Hook(http), new_secret()
    await hook.behave(mode="hang", secret=secret)
    with pytest.raises(httpx.ReadTimeout):
        await hook.send(secret, timeout=0.5)
    [item] = await hook.items()
    assert (item["verified"], item["status"]) == (True, None)


async def test_a_receiver_hangs_as_often_as_it_was_told(http: httpx.AsyncClient) -> None:
    hook = Hook(http)
    await hook.behave(mode="hang", times=2)
    async with hanging(hook, 2):
        assert (await hook.send()).status_code == 200


async def test_hanging_requests_delay_no_others(http: httpx.AsyncClient) -> None:
    hook, other = Hook(http), Hook(http)
    await hook.behave(mode="hang")
    async with hanging(hook, MOST_HANGING) as tasks:
        started = time.monotonic()
        assert (await other.send()).status_code == 200
        assert (await http.get("/deliveries")).status_code == 200
        await hook.behave(mode="ok")
        assert (await hook.send()).status_code == 200
        assert time.monotonic() - started < WITHIN_SECONDS
        assert not any(task.done() for task in tasks)


async def test_only_so_many_requests_hang_at_once(http: httpx.AsyncClient) -> None:
    hook, other = Hook(http), Hook(http)
    for each in (hook, other):
        await each.behave(mode="hang", times=MOST_HANGING + 1)
    async with hanging(hook, MOST_HANGING):
        for each in (hook, other):
            answer = await each.send()
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
            assert (await each.items())[-1]["status"] == 503
        assert (await other.behaviour())["times"] == MOST_HANGING + 1, "it did not hang"


async def test_a_client_that_goes_away_frees_its_place(http: httpx.AsyncClient) -> None:
    hook = Hook(http)
    await hook.behave(mode="hang")
    for _ in range(3):
        async with hanging(hook, MOST_HANGING) as tasks:
            assert not any(task.done() for task in tasks)
    async with hanging(hook, MOST_HANGING) as tasks:
        tasks[0].cancel()
        await asyncio.gather(tasks[0], return_exceptions=True)
        async with hanging(hook, 1) as [again]:
            assert not again.done()
            assert (await hook.send()).status_code == 503


async def test_a_body_has_a_largest_size(http: httpx.AsyncClient) -> None:
    hook = Hook(http)
    assert (await hook.post(b"[" + b" " * (LARGEST_WEBHOOK - 2) + b"]")).status_code == 200
    answer = await hook.post(b"[" + b" " * (LARGEST_WEBHOOK - 1) + b"]")
    assert (answer.status_code, answer.json()["code"]) == (413, 20413)
    [item] = await hook.items()
    assert (len(item["body"]), item["json"]) == (LARGEST_WEBHOOK, [])


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
async def test_a_header_has_a_greatest_length(http: httpx.AsyncClient, name: str) -> None:
    hook = Hook(http)
    assert (await hook.post("{}", {name: "x" * 4096})).status_code == 200
    answer = await hook.post("{}", {name: "x" * 4097})
    assert (answer.status_code, answer.json()["code"]) == (400, 20001)
    assert (await hook.listing())["received"] == 1


async def test_a_receiver_keeps_its_newest_webhooks(http: httpx.AsyncClient) -> None:
    hook = Hook(http)
    for _ in range(MOST_WEBHOOKS + 3):
        await hook.post("{}")
    listing = await hook.listing()
    assert (listing["count"], listing["received"]) == (MOST_WEBHOOKS, MOST_WEBHOOKS + 3)
    numbers = [item["number"] for item in listing["items"]]
    assert numbers == list(range(4, MOST_WEBHOOKS + 4))
    await hook.delete()
    await hook.post("{}")
    assert [item["number"] for item in await hook.items()] == [1]


async def test_all_receivers_together_keep_so_many_bytes(http: httpx.AsyncClient) -> None:
    hooks = [Hook(http), Hook(http)]
    sent = MOST_BYTES // LARGEST_WEBHOOK
    for n in range(sent):
        await hooks[n % 2].post(b'"' + b"x" * (LARGEST_WEBHOOK - 2) + b'"')
    listings = [await http.get(hook.path) for hook in hooks]
    size = sum(len(listing.content) for listing in listings)
    assert MOST_BYTES - 2 * LARGEST_WEBHOOK - 2000 < size < MOST_BYTES + 2000
    for listing in listings:
        numbers = [item["number"] for item in listing.json()["items"]]
        assert numbers == list(range(numbers[0], sent // 2 + 1))
        assert abs(numbers[0] - sent // 4) <= 2, "the oldest of both are gone"


async def test_a_new_name_takes_the_place_of_the_oldest_without_a_behaviour(
    http: httpx.AsyncClient,
) -> None:
    kept, *hooks = [Hook(http) for _ in range(MOST_RECEIVERS)]
    await kept.behave(mode="gone")
    for hook in hooks:
        await hook.send()
    await Hook(http).send()
    assert (await kept.behaviour())["mode"] == "gone"
    counts = [(await hook.listing())["count"] for hook in hooks]
    assert counts == [0] + [1] * (len(hooks) - 1)


async def test_a_receiver_with_a_behaviour_is_replaced_by_no_other(
    http: httpx.AsyncClient,
) -> None:
    hooks = [Hook(http) for _ in range(MOST_RECEIVERS)]
    for hook in hooks:
        await hook.behave(secret=new_secret())
    other = Hook(http)
    for answer in (await other.send(), await other.try_to_behave({"mode": "gone"})):
        assert (answer.status_code, answer.json()["code"]) == (503, 20503)
    assert (await hooks[0].send()).status_code == 200
    await hooks[1].delete("/behaviour")
    assert (await other.send()).status_code == 200
