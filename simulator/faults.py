"""Injected faults: slow responses, random failures, an unavailable vendor.

Faults apply to the vendor's API before it inspects a request, so a request that failed was never
accepted. Scheduled reports, `/deliveries` and `/faults` itself are not affected.
"""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from simulator.answers import problem
from simulator.messages.submission import Malformed
from simulator.messages.vocabulary import Code

_NAMES = {"latencyMs", "errorRate", "down"}
_LONGEST_LATENCY_MS = 600_000
_UNAVAILABLE = problem(503, Code.UNAVAILABLE, "the service is unavailable")


@dataclass(frozen=True, slots=True)
class Faults:
    """The current faults; the defaults are none."""

    latency_ms: float = 0
    error_rate: float = 0
    down: bool = False

    def document(self) -> dict[str, Any]:
        """Return the JSON view."""
        return {"latencyMs": self.latency_ms, "errorRate": self.error_rate, "down": self.down}

    def changed(self, fields: Mapping[str, Any]) -> "Faults":
        """Return a copy with the named fields changed.

        Raises:
            Malformed: an unknown field, or a value out of its range.
        """
        if unknown := fields.keys() - _NAMES:
            raise Malformed(f"unknown fault: {', '.join(sorted(unknown))}")
        down = fields.get("down", self.down)
        if not isinstance(down, bool):
            raise Malformed("down must be true or false")
        return replace(
            self,
            latency_ms=_within(fields, "latencyMs", self.latency_ms, _LONGEST_LATENCY_MS),
            error_rate=_within(fields, "errorRate", self.error_rate, 1),
            down=down,
        )


def _within(fields: Mapping[str, Any], name: str, default: float, most: float) -> float:
    value = fields.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise Malformed(f"{name} must be a number from 0 to {most}")
    return value


class FaultSwitch:
    """Holds the current faults; the console sets them and `FaultGate` applies them."""

    def __init__(self) -> None:
        self.faults = Faults()


class FaultGate:
    """ASGI middleware of every route of the vendor's API."""

    def __init__(self, app: ASGIApp, switch: FaultSwitch) -> None:
        self._app = app
        self._switch = switch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Delay, refuse or handle a request."""
        if self._switch.faults.latency_ms:
            await asyncio.sleep(self._switch.faults.latency_ms / 1000)
        app = _UNAVAILABLE if _strikes(self._switch.faults) else self._app
        await app(scope, receive, send)


def _strikes(faults: Faults) -> bool:
    return faults.down or random.random() < faults.error_rate  # noqa: S311 - chance, no secret
