"""What a delivery of a webhook results in: an answer, or a failure with a stable word."""

from dataclasses import dataclass, field
from datetime import timedelta

from models.enums import WebhookFailureReason


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookResponse:
    """A complete answer; or the first 64 KiB of a longer one, which counts by its status as well.

    Attributes:
        status_code: 200–299 and 400–599.
        duration_ms: from the look-up of the host to the end of the answer.
        text: first KiB of the body, as `models.rules.webhooks.answers.excerpt` returns it.
        retry_after: what the answer's Retry-After asks for, at most 24 hours; None without one.
    """

    status_code: int
    duration_ms: int
    text: str = field(repr=False)
    retry_after: timedelta | None = None

    @property
    def succeeded(self) -> bool:
        """Return whether the endpoint took the event: any 2xx."""
        return 200 <= self.status_code <= 299


class WebhookFailure(Exception):
    """An attempt without a usable answer. Contains neither URL, body nor secrets.

    Attributes:
        reason: the word for the integrator.
        duration_ms: from the look-up of the host to the failure.
        status_code: of a redirect; None for all else.
    """

    def __init__(
        self, reason: WebhookFailureReason, *, duration_ms: int = 0, status_code: int | None = None
    ) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.duration_ms = duration_ms
        self.status_code = status_code


class WebhookBusy(Exception):
    """Too many requests are open: in all, of this owner, or of it to this host; nothing was sent.

    No attempt was made and the endpoint is not at fault, so it does not count. Try again later.
    """
