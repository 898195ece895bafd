"""One call whose result all callers share that ask for it at the same time."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")


class SharedCalls(Generic[Key, Result]):
    """Makes one call per key at a time.

    Whoever asks while it runs, or within `kept_for` seconds after it ended, gets its result, or the
    exception that it raised. Nothing is kept longer.
    """

    def __init__(self, *, kept_for: float = 0.0) -> None:
        self._kept_for = kept_for
        self._tasks: dict[Key, asyncio.Task[Result]] = {}

    async def get(self, key: Key, call: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Return the result of the call of this key; `call` is made if there is none."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.create_task(call())
            task.add_done_callback(lambda ended: self._keep(key, ended))
        # Shielded: the others go on waiting when the first one's client goes away.
        return await asyncio.shield(task)

    def _keep(self, key: Key, ended: asyncio.Task[Result]) -> None:
        if ended.cancelled() or not self._kept_for:
            del self._tasks[key]
        else:
            ended.get_loop().call_later(self._kept_for, self._tasks.pop, key)
        if not ended.cancelled():
            ended.exception()  # those who wait raise it; perhaps nobody waits any more
