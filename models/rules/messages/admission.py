"""Whether one more send of a tenant is taken while the system is behind. Pure.

A message is *waiting* while it is due, has no attempt yet and waits for nothing but a worker. The
lag of a priority is how long at least `SHARED_BY` messages of one urgency have been waiting, this
urgency or a higher one: less urgent messages delay nobody, and a few that cannot move by themselves
are no overload. While a lag is longer than allowed, the tenants with the most waiting messages of
that urgency are refused. Together they hold a share of all waiting messages that grows with the
lag, so that the longer the lag, the more tenants are refused.

Two things follow, and tests hold them: a tenant is never refused before one that has more waiting
of each urgency, and a send is never refused before a less urgent one of the same tenant.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from models.enums import MessageType
from models.rules.messages.priorities import priority_of

LAG_ALLOWED: Final = 2.0
"""Seconds, unless a setting says otherwise. A shorter lag refuses nothing."""

SHARED_BY: Final = 5
"""So many messages of one priority share a lag, at least; what fewer share refuses nobody.

Workers that are behind keep whole batches waiting: 2 s of lag at 3 messages a second are more than
5. A message that is stuck by itself (a locked row, an end that cannot be committed) is one, and
what is stuck with it by the same row is few. While fewer wait, nobody is worth refusing: whoever
has at most `FEW` is not refused by a short lag anyway.
"""

_OF_ALL: Final = 10
"""At a lag so many times as long everybody who has something waiting is refused, but for OTPs."""

SHARE_FIRST: Final = 0.5
"""The share of the waiting messages whose tenants are refused as soon as a lag is too long."""

FEW: Final = 20
"""A tenant with at most this many waiting is refused only by a long lag, and its OTPs never."""

_LONGEST_RETRY: Final = 30
"""Seconds."""

_RETRY_OF_LIMIT: Final = 10
"""Seconds; open messages are counted about this often."""

OTP_PRIORITY: Final = priority_of(MessageType.OTP)
PRIORITIES: Final = tuple(sorted({priority_of(kind) for kind in MessageType}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The waiting messages of one priority."""

    lag: float = 0
    """For how many seconds at least `SHARED_BY` of them have been waiting; 0 if fewer wait."""
    oldest: float = 0
    """Age of the oldest in seconds; 0 if there is none."""
    tenants: Mapping[int, int] = field(default_factory=dict)
    """How many each tenant has; those that have none may be left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What all processes know of the load; by priority."""

    waiting: Mapping[int, Waiting] = field(default_factory=dict)

    def lag(self, priority: int) -> float:
        """Return how long several messages that are at least so urgent have been waiting."""
        return max((w.lag for p, w in self.waiting.items() if p <= priority), default=0)

    def oldest(self, priority: int) -> float:
        """Return the age of the oldest waiting message that is at least so urgent."""
        return max((w.oldest for p, w in self.waiting.items() if p <= priority), default=0)

    def of(self, tenant_id: int, priority: int) -> int:
        """Return how many messages of a tenant wait that are at least so urgent."""
        return sum(w.tenants.get(tenant_id, 0) for p, w in self.waiting.items() if p <= priority)


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """From how many waiting messages on a tenant is refused, for one priority."""

    priority: int
    count: int
    retry_after: int
    """Seconds after which a refused send may be tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a send is not taken, and in how many seconds it may be tried again."""

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
    """Return the least count that is refused; severity is 0 for a short lag, 1 for a long one."""
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
    """Say why one more send of this type is not taken; None if it is.

    Args:
        in_force: `thresholds` of the last sample.
        waiting: how many of the tenant's messages wait, by priority.
        type: the kind of message that is to be sent.

    A threshold of a more urgent priority holds for the less urgent ones too.
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
    """Say why a tenant may not have one more open message; None if it may."""
    if open_messages < limit:
        return None
    return Refusal(
        detail=f"A tenant may have {limit} open messages: accepted, and not in a final status.",
        retry_after=_RETRY_OF_LIMIT,
    )
