"""The developer portal: guide, interactive documentation, downloads. Everything is served here."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles

from api.portal import pages

router = APIRouter(include_in_schema=False)
assets = StaticFiles(directory=pages.ASSETS)


@router.api_route("/", methods=["GET", "HEAD"])
async def guide(request: Request) -> HTMLResponse:
    """Show the developer guide, with commands that work against this very server."""
    return HTMLResponse(pages.guide(request.app.openapi(), _base(request)), headers=pages.HEADERS)


@router.api_route("/swagger-ui", methods=["GET", "HEAD"])
async def swagger_ui() -> HTMLResponse:
    """Show the interactive documentation."""
    return HTMLResponse(pages.swagger_ui(), headers=pages.HEADERS)


@router.get("/v3/api-docs")
async def specification(request: Request) -> JSONResponse:
    """Give the specification as JSON."""
    return JSONResponse(pages.specification(request.app.openapi(), _base(request)))


@router.get("/v3/api-docs.yaml")
async def specification_as_yaml(request: Request) -> Response:
    """Give the specification as YAML."""
    text = pages.specification_as_yaml(request.app.openapi(), _base(request))
    return Response(text, media_type="application/yaml")


def _base(request: Request) -> str:
    return str(request.base_url).rstrip("/")
