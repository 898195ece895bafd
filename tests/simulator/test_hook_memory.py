"""Receivers of webhooks over a restart with a data folder, and in the journal's file."""

import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from simulator.hooks.receivers import MOST_WEBHOOKS
from tests.simulator.harness import Running
from tests.simulator.hook import Hook, new_secret

NAME = "shop"


@asynccontextmanager
async def started(data_dir: Path | None) -> AsyncIterator[Hook]:
    """Run a simulator and return a receiver of always the same name."""
    with Running(data_dir) as running:
        async with httpx.AsyncClient(base_url=running.url, trust_env=False) as http:
            yield Hook(http, NAME)


def records(data_dir: Path) -> list[tuple[str, str]]:
    """Return kind and id of everything in the journal."""
    db = sqlite3.connect(data_dir / "simulator.sqlite3")
    try:
        return db.execute("SELECT kind, id FROM record ORDER BY kind, id").fetchall()
    finally:
        db.close()


def file_modes(data_dir: Path) -> set[int]:
    """Return the permissions of the journal's files."""
    return {stat.S_IMODE(file.stat().st_mode) for file in data_dir.iterdir()}


async def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    secrets = [new_secret(), new_secret()]
    async with started(tmp_path) as hook:
        await hook.send(id="msg_0", body="no json \x00 ü")
        await hook.behave(mode="fail", status=503, retryAfter=2, times=3, secret=secrets)
        for secret in (secrets[0], new_secret()):
            await hook.send(secret)
        listing, behaviour = await hook.listing(), await hook.behaviour()
    assert (listing["count"], behaviour["times"]) == (3, 1)

    async with started(tmp_path) as hook:
        assert (await hook.listing(), await hook.behaviour()) == (listing, behaviour)
        answers = [await hook.send(secret) for secret in reversed(secrets)]
        assert [answer.status_code for answer in answers] == [503, 200]
        latest = (await hook.items())[3:]
        assert [(item["number"], item["verified"]) for item in latest] == [(4, True), (5, True)]


async def test_what_was_deleted_stays_deleted(tmp_path: Path) -> None:
    async with started(tmp_path) as hook:
        await hook.behave(mode="gone", secret=new_secret())
        for _ in range(3):
            await hook.send()
        await asyncio.sleep(0.1)
        await hook.delete()
        await hook.delete("/behaviour")
        await hook.send(id="msg_4", body="{}")
        behaviour = await hook.behaviour()
    assert records(tmp_path) == [("webhook", f"{NAME}/1")]

    async with started(tmp_path) as hook:
        assert [item["number"] for item in await hook.items()] == [1]
        assert await hook.behaviour() == behaviour
        assert (await hook.send()).status_code == 200


async def test_the_journal_has_the_same_bound(tmp_path: Path) -> None:
    async with started(tmp_path) as hook:
        for _ in range(MOST_WEBHOOKS + 5):
            await hook.post("{}")
        numbers = [item["number"] for item in await hook.items()]
    assert sorted(records(tmp_path)) == sorted(("webhook", f"{NAME}/{n}") for n in numbers)
    async with started(tmp_path) as hook:
        assert [item["number"] for item in await hook.items()] == numbers


async def test_secrets_are_in_a_private_file(tmp_path: Path) -> None:
    async with started(tmp_path) as hook:
        await hook.behave(secret=new_secret())
        await hook.send()
        await asyncio.sleep(0.1)
        assert file_modes(tmp_path) == {0o600}


async def test_without_a_data_folder_nothing_is_kept() -> None:
    async with started(None) as hook:
        await hook.behave(mode="gone")
        await hook.send()
    async with started(None) as hook:
        assert await hook.listing() == {"count": 0, "received": 0, "items": []}
        assert (await hook.send()).status_code == 200
