"""The developer portal: guide, interactive documentation, downloads. Everything is served here."""

from collections.abc import Mapping

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.http.prebuilt import Prebuilt
from models.errors import NotFound

router = APIRouter(include_in_schema=False)


@router.get("/")
async def guide(request: Request) -> Response:
    """Show the developer guide, with commands that work against this very server."""
    return _page(request)


@router.get("/swagger-ui")
async def swagger_ui(request: Request) -> Response:
    """Show the interactive documentation."""
    return _page(request)


@router.get("/v3/api-docs")
async def specification(request: Request) -> Response:
    """Give the specification as JSON."""
    return _page(request)


@router.get("/v3/api-docs.yaml")
async def specification_as_yaml(request: Request) -> Response:
    """Give the specification as YAML."""
    return _page(request)


@router.get("/assets/{name}")
async def asset(name: str, request: Request) -> Response:
    """Give a file that the pages load."""
    return _page(request)


def _page(request: Request) -> Response:
    portal: Mapping[str, Prebuilt] = request.app.state.portal
    page = portal.get(request.scope["path"])
    if page is None:
        raise NotFound
    return page.answer(request)
