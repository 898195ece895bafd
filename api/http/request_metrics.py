"""Prometheus metrics of requests: count, duration and sends by outcome."""

from prometheus_client import Counter, Histogram

from models.enums import Channel

REQUESTS = Counter(
    "hexavox_http_requests_total", "Requests answered.", ["method", "route", "status"]
)
DURATION = Histogram(
    "hexavox_http_request_duration_seconds",
    "Time to the end of the answer.",
    ["method", "route"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
SENDS = Counter(
    "hexavox_sends_total",
    "Sends asked for, by what was answered: accepted, replayed or an error code.",
    ["channel", "outcome"],
)

_SEND_ROUTES = {
    "/api/v1/messages/sms": Channel.SMS,
    "/api/v1/messages/voice": Channel.VOICE,
    "/api/v1/messages/email": Channel.EMAIL,
    "/api/v1/email/send": Channel.EMAIL,
    "/api/v1/voice/tts-calls": Channel.VOICE,
}
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count one answered request; unknown methods share one label."""
    method = method if method in _METHODS else "OTHER"
    REQUESTS.labels(method, route, str(status)).inc()
    DURATION.labels(method, route).observe(seconds)


def count_send(method: str, route: str, *, problem: str | None, replayed: bool) -> None:
    """Count a send by its outcome; other requests are ignored."""
    channel = _SEND_ROUTES.get(route)
    if channel is not None and method == "POST":
        SENDS.labels(channel.value, problem or ("replayed" if replayed else "accepted")).inc()
