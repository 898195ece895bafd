"""The metrics are rendered once a second, however often they are requested."""

from itertools import count

from api.http.metrics_text import KEPT_FOR, MetricsText


def test_the_metrics_are_written_once_a_second() -> None:
    now = 0.0
    written = count()
    metrics = MetricsText(lambda: str(next(written)).encode(), clock=lambda: now)
    assert [metrics.response().body for _ in range(3)] == [b"0"] * 3
    now += KEPT_FOR
    assert [metrics.response().body for _ in range(3)] == [b"1"] * 3
