"""Decides whether a send is accepted while the workers are behind. Pure.

A message is *waiting* while it is due, has no attempt yet and waits only for a worker. The lag of a
priority is how long at least `SHARED_BY` messages of one equal or higher priority have been
waiting: less urgent messages delay no others, and a few stuck messages are no overload. While a lag
exceeds the limit, the tenants with the most waiting messages of that priority are refused. They are
those who together hold a share of all waiting messages; the share grows with the lag, so a longer
lag refuses more tenants.

Two invariants are tested: a tenant is never refused before one that has more waiting messages of
each priority, and a send is never refused before a less urgent one of the same tenant.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from models.enums import MessageType
from models.rules.messages.priorities import priority_of

LAG_ALLOWED: Final = 2.0
"""Default limit in seconds. A shorter lag refuses nothing."""

SHARED_BY: Final = 5
"""Least number of waiting messages of one priority that counts as a lag.

Overloaded workers keep whole batches waiting: 2 s of lag at 3 messages a second are more than 5. A
message that is stuck (a locked row, a settlement that cannot be committed) counts as one, and few
others are stuck on the same row. Below this number a refusal would not help: a short lag does not
refuse a tenant with at most `FEW` waiting messages.
"""

_OF_ALL: Final = 10
"""At this multiple of the limit every tenant with a waiting message is refused, except for OTP."""

SHARE_FIRST: Final = 0.5
"""Share of the waiting messages whose tenants are refused as soon as a lag exceeds the limit."""

FEW: Final = 20
"""A tenant with at most this many waiting is refused only by a long lag, and its OTPs never."""

_LONGEST_RETRY: Final = 30
"""Highest Retry-After, in seconds."""

_RETRY_OF_LIMIT: Final = 10
"""Retry-After of the limit of open messages, in seconds; they are counted about this often."""

OTP_PRIORITY: Final = priority_of(MessageType.OTP)
PRIORITIES: Final = tuple(sorted({priority_of(kind) for kind in MessageType}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The waiting messages of one priority."""

    lag: float = 0
    """Seconds for which at least `SHARED_BY` of them have been waiting; 0 if fewer wait."""
    oldest: float = 0
    """Age of the oldest in seconds; 0 if there is none."""
    tenants: Mapping[int, int] = field(default_factory=dict)
    """Number of waiting messages by tenant id; tenants without any may be omitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Sampled load that all processes share, by priority."""

    waiting: Mapping[int, Waiting] = field(default_factory=dict)

    def lag(self, priority: int) -> float:
        """Return the highest lag in seconds of this and the more urgent priorities."""
        return max((w.lag for p, w in self.waiting.items() if p <= priority), default=0)

    def oldest(self, priority: int) -> float:
        """Return the age in seconds of the oldest waiting message of at least this priority."""
        return max((w.oldest for p, w in self.waiting.items() if p <= priority), default=0)

    def of(self, tenant_id: int, priority: int) -> int:
        """Return how many messages of at least this priority wait for a tenant."""
        return sum(w.tenants.get(tenant_id, 0) for p, w in self.waiting.items() if p <= priority)


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """The number of waiting messages from which a tenant is refused, for one priority."""

    priority: int
    count: int
    retry_after: int
    """Retry-After in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a send is refused, and its Retry-After in seconds."""

    detail: str
    retry_after: int


def thresholds(load: Load, allowed: float = LAG_ALLOWED) -> tuple[Threshold, ...]:
    """Return the thresholds in force, the most urgent priority first; none without a lag.

    Args:
        load: the last sample.
        allowed: the longest lag that refuses nothing, in seconds.
    """
    found = []
    counts: Counter[int] = Counter()
    for priority in PRIORITIES:
        if priority in load.waiting:
            counts.update(load.waiting[priority].tenants)
        beyond = load.lag(priority) - allowed
        if beyond > 0:
            severity = min(beyond / (allowed * (_OF_ALL - 1)), 1)
            count = _threshold(counts.values(), severity, otp=priority == OTP_PRIORITY)
            retry_after = min(max(ceil(beyond), 1), _LONGEST_RETRY)
            found.append(Threshold(priority=priority, count=count, retry_after=retry_after))
    return tuple(found)


def _threshold(counts: Collection[int], severity: float, *, otp: bool) -> int:
    """Return the least count that is refused; severity goes from 0 (short lag) to 1 (long)."""
    heavier, held, wanted = 0, 0, (SHARE_FIRST + (1 - SHARE_FIRST) * severity) * sum(counts)
    for count in sorted(counts, reverse=True):
        if held >= wanted:
            break
        heavier, held = count, held + count
    few = FEW if otp else int(FEW * (1 - severity))
    return max(heavier, few + 1)


def refuse_for_lag(
    in_force: tuple[Threshold, ...], waiting: Mapping[int, int], type: MessageType
) -> Refusal | None:
    """Return why a send of this type is refused; None if it is accepted.

    Args:
        in_force: `thresholds` of the last sample.
        waiting: the tenant's waiting messages, by priority.
        type: the type of the message to be sent.

    A threshold of a more urgent priority also applies to the less urgent ones.
    """
    for threshold in in_force:
        if threshold.priority > priority_of(type):
            break
        count = sum(n for priority, n in waiting.items() if priority <= threshold.priority)
        if count >= threshold.count:
            return Refusal(
                detail="Messages wait too long for a worker, and many are yours. Send more slowly.",
                retry_after=threshold.retry_after,
            )
    return None


def refuse_for_limit(open_messages: int, limit: int) -> Refusal | None:
    """Return why a tenant may not have one more open message; None if it may."""
    if open_messages < limit:
        return None
    return Refusal(
        detail=f"A tenant may have {limit} open messages: accepted, and not in a final status.",
        retry_after=_RETRY_OF_LIMIT,
    )
