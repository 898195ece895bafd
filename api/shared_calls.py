"""Coalesces concurrent calls: callers with the same key share one call and its result."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")


class SharedCalls(Generic[Key, Result]):
    """Makes one call per key at a time.

    A caller that asks while it runs, or within `kept_for` seconds after its end, gets its result or
    its exception. Nothing is kept longer.
    """

    def __init__(self, *, kept_for: float = 0.0) -> None:
        self._kept_for = kept_for
        self._tasks: dict[Key, asyncio.Task[Result]] = {}

    async def get(self, key: Key, call: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Return the result of the call with this key; `call` is made if there is none."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.create_task(call())
            task.add_done_callback(lambda ended: self._keep(key, ended))
        # Shielded: the other callers keep waiting if the first one is cancelled.
        return await asyncio.shield(task)

    def _keep(self, key: Key, ended: asyncio.Task[Result]) -> None:
        if ended.cancelled() or not self._kept_for:
            del self._tasks[key]
        else:
            ended.get_loop().call_later(self._kept_for, self._tasks.pop, key)
        if not ended.cancelled():
            ended.exception()  # marks the exception as retrieved if no caller waits any more
