"""What one request gathers on its way: for its log line, its metrics and its answer's headers."""

from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.types import Scope

from api.http.auth import Caller

_KEY = "hexavox.trace"


@dataclass(slots=True)
class Trace:
    """Facts about one request; never contents."""

    request_id: str
    caller: Caller | None = None
    problem: str | None = None
    replayed: bool = False
    broken_off: str | None = None
    """The kind of error that ended it after its client was gone."""
    headers: dict[str, str] = field(default_factory=dict)
    """Added to the answer, whatever it will be."""
    at_end: list[Callable[[], None]] = field(default_factory=list)
    """Called when the answer was sent, could not be, or is about to be delayed."""

    def end(self) -> None:
        """Call each of `at_end` once."""
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
    """Return the route's template, such as /api/v1/merchants/{merchantId}; never the raw path."""
    return getattr(scope.get("route"), "path", "") or "unmatched"
