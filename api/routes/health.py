"""For orchestrators and Prometheus; not part of the public contract."""

from fastapi import APIRouter, Response

from api.deps import Ready
from api.http.metrics_text import MetricsText

router = APIRouter(include_in_schema=False)
_metrics = MetricsText()


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
    return _metrics.response()
