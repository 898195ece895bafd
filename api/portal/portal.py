"""Holds the pages of the developer portal, which are built when one is first asked for."""

import asyncio
from collections.abc import Callable, Mapping

from api.http.prebuilt import Prebuilt
from api.shared_calls import SharedCalls

Pages = Mapping[str, Prebuilt]


class Portal:
    """The pages by path.

    Building them takes half a second of CPU, mostly for the specification. So they are not built at
    the start, and in a thread, because callbacks of the event loop must be short.
    """

    def __init__(self, build: Callable[[], Pages]) -> None:
        self._build = build
        self._pages: Pages | None = None
        self._builds = SharedCalls[str, Pages]()

    async def find(self, path: str) -> Prebuilt | None:
        """Return the page of a path; None if there is none."""
        if self._pages is None:
            self._pages = await self._builds.get("pages", self._build_in_thread)
        return self._pages.get(path)

    async def _build_in_thread(self) -> Pages:
        return await asyncio.to_thread(self._build)
