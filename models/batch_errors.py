"""Errors of batches that are returned to API callers. Standard library only.

NotThere 404 ─── BatchNotFound
TooManyBatches 429
"""

from models.errors import HexavoxError, NotThere


class BatchNotFound(NotThere):
    """No batch of this key has that id."""

    code = "BATCH_NOT_FOUND"
    title = "No such batch"


class TooManyBatches(HexavoxError):
    """As many batches of the tenant as allowed have lines that are not decided yet.

    Attributes:
        retry_after: seconds until the next batch may be stored.
    """

    status = 429
    code = "TOO_MANY_BATCHES"
    title = "Too many batches are being accepted"

    def __init__(self, detail: str = "", retry_after: int = 5) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
