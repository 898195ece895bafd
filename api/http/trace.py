"""Data collected during one request for its log line, metrics and response headers."""

from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.types import Scope

from api.http.auth import Caller

_KEY = "hexavox.trace"


@dataclass(slots=True)
class Trace:
    """Metadata of one request, without contents."""

    request_id: str
    caller: Caller | None = None
    problem: str | None = None
    replayed: bool = False
    broken_off: str | None = None
    """The type of the error that aborted it after its client disconnected."""
    headers: dict[str, str] = field(default_factory=dict)
    """Headers of the response, whatever its status."""
    at_end: list[Callable[[], None]] = field(default_factory=list)
    """Called when the response is sent, has failed, or is about to be delayed."""

    def end(self) -> None:
        """Call each function of `at_end` once."""
        while self.at_end:
            self.at_end.pop(0)()


def begin_trace(scope: Scope, request_id: str) -> Trace:
    """Attach a new trace to a request."""
    trace = Trace(request_id=request_id, headers={"X-Request-Id": request_id})
    scope[_KEY] = trace
    return trace


def trace_of(scope: Scope) -> Trace:
    """Return the trace of a request."""
    trace = scope[_KEY]
    assert isinstance(trace, Trace)
    return trace


def find_trace(scope: Scope) -> Trace | None:
    """Return the trace of a request, if it has one."""
    found = scope.get(_KEY)
    return found if isinstance(found, Trace) else None


def template_of(scope: Scope) -> str:
    """Return the route's template, such as /api/v1/merchants/{merchantId}; never the actual
    path.
    """
    return getattr(scope.get("route"), "path", "") or "unmatched"
