"""Assigns a request id and writes one log line per request, without personal data."""

import logging
import re
from time import perf_counter
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.problem_response import render
from api.http.request_metrics import count_request, count_send
from api.http.trace import Trace, begin_trace, template_of, trace_of
from models.errors import HexavoxError
from models.logs import request_id

_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{8,64}", re.ASCII)
_CLIENT_WENT_AWAY = 499
"""Nginx's status for a client that disconnected; appears only in logs and metrics."""

log = logging.getLogger(__name__)


class RequestLog:
    """The outermost middleware: sets the request id, maps exceptions to 500, writes the log
    line.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        trace = begin_trace(scope, _id_for(scope))
        token = request_id.set(trace.request_id)
        started = perf_counter()
        status = _CLIENT_WENT_AWAY

        async def finishing(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(trace.headers)
            await send(message)

        try:
            await self._answer(scope, receive, finishing)
        finally:
            trace.end()
            _note(scope, trace, status, perf_counter() - started)
            request_id.reset(token)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = gone = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        async def hearing() -> Message:
            nonlocal gone
            message = await receive()
            gone = message["type"] == "http.disconnect"
            return message

        try:
            await self._app(scope, hearing, noting)
        except ClientDisconnect:
            return
        except Exception as error:
            if gone:  # the request was aborted, and its own error is logged
                trace_of(scope).broken_off = type(error).__name__
                return
            # an error of the body, raised by the server and read by a middleware
            if isinstance(error, HexavoxError):
                answer = error
            else:
                log.exception("request failed", extra={"route": template_of(scope)})
                answer = HexavoxError()
            if started:
                raise  # the server aborts the connection: a partial response must not look complete
            await render(Request(scope), answer)(scope, receive, send)


def _id_for(scope: Scope) -> str:
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _SANE_ID.fullmatch(given) else uuid4().hex


def _note(scope: Scope, trace: Trace, status: int, seconds: float) -> None:
    route = template_of(scope)
    method = scope["method"]
    count_request(method, route, status, seconds)
    count_send(method, route, problem=trace.problem, replayed=trace.replayed)
    facts = {
        "method": method[:16],
        "route": route,
        "status": status,
        "milliseconds": round(seconds * 1000, 1),
        "tenant_id": trace.caller.tenant_id if trace.caller else None,
        "code": trace.problem,
        "broken_off": trace.broken_off,
    }
    log.info("request", extra={name: fact for name, fact in facts.items() if fact is not None})
