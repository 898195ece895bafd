"""Bounds what a request's first lines may cost before anybody looks at them."""

from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.problems import render
from models.errors import NotFound, ValidationFailed

MOST_PARAMETERS: Final = 50
"""Of a query. No route has more than ten; the framework parses them all before it looks at any."""

LONGEST_PATH: Final = 2048
"""Characters. The longest lawful path has some hundred; each route is compared with all of it."""


class RequestBounds:
    """Refuses long paths and long queries, and drops cookies, of which none are ours."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if len(scope["path"]) > LONGEST_PATH:
                await render(Request(scope), NotFound())(scope, receive, send)
                return
            if scope["query_string"].count(b"&") >= MOST_PARAMETERS:
                reason = f"has more than {MOST_PARAMETERS} parameters"
                error = ValidationFailed(f"The query {reason}.", (("query", reason),))
                await render(Request(scope), error)(scope, receive, send)
                return
            # A browser may send hundreds, and the framework would parse them for every route.
            scope["headers"] = [line for line in scope["headers"] if line[0] != b"cookie"]
        await self._app(scope, receive, send)


def refuse_unknown_path(otherwise: ASGIApp) -> ASGIApp:
    """Return what answers a path without a route: 404, or 413 for a body over the limit.

    Args:
        otherwise: answers what is no HTTP request.
    """

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await otherwise(scope, receive, send)
            return
        async for _ in Request(scope, receive).stream():
            pass
        raise NotFound

    return refuse
