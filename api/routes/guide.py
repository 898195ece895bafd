"""Routes of the developer portal: guide, interactive documentation, downloads.

All assets are served from here.
"""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.deps import PortalPages
from models.errors import NotFound

router = APIRouter(include_in_schema=False)


@router.get("/")
async def guide(request: Request, portal: PortalPages) -> Response:
    """Return the developer guide, with commands that address this server."""
    return await _page(request, portal)


@router.get("/swagger-ui")
async def swagger_ui(request: Request, portal: PortalPages) -> Response:
    """Return the interactive documentation."""
    return await _page(request, portal)


@router.get("/v3/api-docs")
async def specification(request: Request, portal: PortalPages) -> Response:
    """Return the specification as JSON."""
    return await _page(request, portal)


@router.get("/v3/api-docs.yaml")
async def specification_as_yaml(request: Request, portal: PortalPages) -> Response:
    """Return the specification as YAML."""
    return await _page(request, portal)


@router.get("/assets/{name}")
async def asset(name: str, request: Request, portal: PortalPages) -> Response:
    """Return a file that the pages load."""
    return await _page(request, portal)


async def _page(request: Request, portal: PortalPages) -> Response:
    page = await portal.find(request.scope["path"])
    if page is None:
        raise NotFound
    return page.answer(request)
