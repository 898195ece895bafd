"""When the pages of the portal are built."""

import asyncio
import threading

import pytest

from api.http.prebuilt import Prebuilt
from api.portal.portal import Portal

GUIDE = Prebuilt.make(b"guide", "text/html")


class Building:
    """Builds one page; notes the thread of each build, and fails as often as told."""

    def __init__(self, failures: int = 0) -> None:
        self.threads: list[threading.Thread] = []
        self._failures = failures

    def __call__(self) -> dict[str, Prebuilt]:
        self.threads.append(threading.current_thread())
        if len(self.threads) <= self._failures:
            raise OSError("too many files")
        return {"/": GUIDE}


async def test_pages_are_built_once_at_the_first_request_beside_the_event_loop() -> None:
    building = Building()
    portal = Portal(building)
    assert building.threads == []
    found = await asyncio.gather(*[portal.find(path) for path in ("/", "/", "/nothing")])
    assert [*found, await portal.find("/")] == [GUIDE, GUIDE, None, GUIDE]
    assert len(building.threads) == 1
    assert building.threads[0] is not threading.current_thread()


async def test_a_build_that_failed_is_repeated_at_the_next_request() -> None:
    portal = Portal(Building(failures=1))
    with pytest.raises(OSError, match="too many"):
        await portal.find("/")
    assert await portal.find("/") == GUIDE


async def test_a_client_that_hangs_up_does_not_end_the_build_for_others() -> None:
    building = Building()
    portal = Portal(building)
    first = asyncio.create_task(portal.find("/"))
    await asyncio.sleep(0)
    first.cancel()
    assert await portal.find("/") == GUIDE
    assert len(building.threads) == 1
