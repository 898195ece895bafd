"""Routes for orchestrators and Prometheus; not part of the public contract."""

from fastapi import APIRouter, Response

from api.deps import Ready
from api.http.metrics_text import MetricsText

router = APIRouter(include_in_schema=False)
_metrics = MetricsText()


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Liveness: the process runs."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(readiness: Ready) -> dict[str, str]:
    """Readiness: 503 while the database does not respond, is read-only or has an older schema."""
    await readiness.check()
    return {"status": "ready"}


@router.get("/metrics")
async def metrics() -> Response:
    """Return the Prometheus metrics."""
    return _metrics.response()
