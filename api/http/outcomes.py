"""Outcome of a keyed action: carried out by this request, or a replay."""

from dataclasses import dataclass
from typing import Generic, TypeVar

Body = TypeVar("Body")


@dataclass(frozen=True, slots=True)
class Accepted(Generic[Body]):
    """The action was carried out, or its workflow started, by this request."""

    body: Body


@dataclass(frozen=True, slots=True)
class Replayed(Generic[Body]):
    """An earlier request with this key or reference carried out the action."""

    body: Body


Outcome = Accepted[Body] | Replayed[Body]
