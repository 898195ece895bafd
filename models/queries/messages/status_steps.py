"""The table of allowed status steps as an SQL condition."""

from collections.abc import Collection

from models.enums import MessageStatus
from models.rules.messages.lifecycle import STEPS


def may_step(current: Collection[MessageStatus], following: Collection[MessageStatus]) -> str:
    """Return SQL that is true if a message may go from its `status` to `:status`.

    Only the given statuses are compared. Those with the same steps share a condition, because the
    driver parses a statement of more than 4,096 bytes on each execution.
    """
    groups: dict[str, list[str]] = {}
    for status in sorted(current):
        allowed = _listed(sorted(STEPS[status].intersection(following)))
        groups.setdefault(allowed, []).append(status)
    steps = " OR ".join(
        f"status IN {_listed(before)} AND CAST(:status AS text) IN {allowed}"
        for allowed, before in groups.items()
    )
    return f"({steps})"


def _listed(words: Collection[str]) -> str:
    return "(" + ", ".join(f"'{word}'" for word in words) + ")"
