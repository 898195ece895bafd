"""Status of a batch, derived from its row and its messages."""

from datetime import datetime

from models.enums import BatchStatus


def status_of(
    *, decided_at: datetime | None, canceled_at: datetime | None, open_messages: int
) -> BatchStatus:
    """Return the status of a batch.

    ACCEPTING while lines are neither accepted nor refused, SENDING while messages are not
    completed, then COMPLETED. CANCELED once it was canceled; messages that a provider had taken
    before may still be open.

    Args:
        decided_at: when its last line was accepted or refused; None while some are undecided.
        canceled_at: when it was canceled; None if it was not.
        open_messages: its messages that are not completed.
    """
    if canceled_at is not None:
        return BatchStatus.CANCELED
    if decided_at is None:
        return BatchStatus.ACCEPTING
    return BatchStatus.SENDING if open_messages else BatchStatus.COMPLETED
