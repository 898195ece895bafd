"""The status of a batch follows from its times and its open messages."""

from datetime import UTC, datetime

import pytest

from models.enums import BatchStatus
from models.rules.messages.batches.status import status_of

AT = datetime(2026, 4, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("decided", "canceled", "open_messages", "status"),
    [
        (None, None, 0, BatchStatus.ACCEPTING),
        (None, None, 3, BatchStatus.ACCEPTING),
        (AT, None, 3, BatchStatus.SENDING),
        (AT, None, 0, BatchStatus.COMPLETED),
        (None, AT, 0, BatchStatus.CANCELED),
        (None, AT, 3, BatchStatus.CANCELED),
        (AT, AT, 3, BatchStatus.CANCELED),
        (AT, AT, 0, BatchStatus.CANCELED),
    ],
)
def test_status(
    decided: datetime | None, canceled: datetime | None, open_messages: int, status: BatchStatus
) -> None:
    found = status_of(decided_at=decided, canceled_at=canceled, open_messages=open_messages)
    assert found is status
