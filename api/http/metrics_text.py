"""Renders the Prometheus metrics at most once a second."""

from collections.abc import Callable
from time import monotonic
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

KEPT_FOR: Final = 1.0
"""Seconds. Rendering takes the event loop about 13 ms, and the endpoint needs no credentials."""


class MetricsText:
    """The metrics of this process, cached."""

    def __init__(
        self,
        write: Callable[[], bytes] = generate_latest,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._write = write
        self._clock = clock
        self._text = b""
        self._kept_until = float("-inf")

    def response(self) -> Response:
        """Return the metrics, at most one second old."""
        if self._clock() >= self._kept_until:
            self._text = self._write()
            self._kept_until = self._clock() + KEPT_FOR
        return Response(self._text, headers={"Content-Type": CONTENT_TYPE_LATEST})
