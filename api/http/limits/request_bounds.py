"""Limits the cost of the request line and headers before routing."""

from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.problem_response import render
from models.errors import NotFound, ValidationFailed

MOST_PARAMETERS: Final = 50
"""Maximum query parameters. No route has more than ten; the framework parses all of them first."""

LONGEST_PATH: Final = 2048
"""Characters. The longest valid path has about 100; routing matches the whole path against each
route.
"""


class RequestBounds:
    """Refuses long paths and queries, and drops cookies: the API uses none."""

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
            # A browser may send hundreds of cookies, and the framework would parse them for every
            # route.
            scope["headers"] = [line for line in scope["headers"] if line[0] != b"cookie"]
        await self._app(scope, receive, send)


def refuse_unknown_path(otherwise: ASGIApp) -> ASGIApp:
    """Return the handler of unknown paths: 404, or 413 for a body over the limit.

    Args:
        otherwise: handles scopes that are not HTTP requests.
    """

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await otherwise(scope, receive, send)
            return
        async for _ in Request(scope, receive).stream():
            pass
        raise NotFound

    return refuse
