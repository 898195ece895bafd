"""Which task queues a worker serves: those that `--queue` names, or all."""

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from typing import Final

from models.configuration.environment_settings import BadSettings
from workflows import names
from workflows.worker_registry import BY_QUEUE

PROVIDERS: Final = "providers"
"""Means the queues of all accounts, also of those that are added later."""

_PROVIDER: Final = names.provider_queue("")


def is_served(queue: str, named: Collection[str] | None) -> bool:
    """Return whether a worker to which these names were given serves a task queue."""
    if not named:
        return True
    return queue in named or (PROVIDERS in named and queue.startswith(_PROVIDER))


def check_queue_names(named: Sequence[str], accounts: Collection[str]) -> None:
    """Check the names that were given to a worker.

    Raises BadSettings for the first that is no task queue, nor that of one of these accounts. No
    worker would serve it, and its work would wait.
    """
    known = [*sorted([*BY_QUEUE, PROVIDERS]), *map(names.provider_queue, sorted(accounts))]
    for name in named:
        if name not in known:
            similar = get_close_matches(name, known, n=1, cutoff=0.8)
            meant = f"; did you mean {similar[0]}?" if similar else ""
            raise BadSettings(
                f"--queue {name}: there is no such task queue{meant}\n"
                f"The task queues are {', '.join(known)}"
            )
