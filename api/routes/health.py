"""For orchestrators and Prometheus; not part of the public contract."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.deps import Ready

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the process is alive."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(readiness: Ready) -> dict[str, str]:
    """Say that requests can be served; 503 while the database does not answer or is older."""
    await readiness.check()
    return {"status": "ready"}


@router.get("/metrics")
async def metrics() -> Response:
    """Show the counters."""
    return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
