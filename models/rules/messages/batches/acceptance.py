"""What a page of a batch's lines came to, and how its messages are grouped into chunks. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeAlias

from models.enums import MessageType
from models.rules.messages.batches.identity import ChunkStart

PAGE: Final = 100
"""Lines that one transaction decides; so a chunk has no more messages."""

FEWEST: Final = 5
"""Messages that are due later need this many for a chunk; fewer are sent one by one."""

BATCH_CANCELED: Final = "BATCH_CANCELED"
CANCELED_DETAIL: Final = "The batch was canceled before this line was accepted."
"""Code and detail of a line that was not decided when its batch was canceled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchKey:
    """The row of a batch.

    A row with another public id counts as missing: its workflow was started for another database.
    """

    tenant_id: int
    batch_id: int
    public_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedPage:
    """The lines that one transaction decided.

    `decided` means that the batch has no line left, `canceled` that it was canceled. With
    `retry_after`, in seconds, nothing was decided: the tenant may not have more open messages now.
    """

    accepted: int = 0
    refused: int = 0
    chunks: Sequence[ChunkStart] = ()
    decided: bool = False
    canceled: bool = False
    retry_after: int | None = None

    @property
    def goes_on(self) -> bool:
        """Whether more lines can be decided now."""
        return not self.decided and self.retry_after is None


def together(pages: Sequence[DecidedPage]) -> DecidedPage:
    """Return pages that followed one another as one."""
    return replace(
        pages[-1],
        accepted=sum(page.accepted for page in pages),
        refused=sum(page.refused for page in pages),
        chunks=[chunk for page in pages for chunk in page.chunks],
    )


Group: TypeAlias = tuple[MessageType, datetime]
"""What the messages of a chunk have in common: their type, and when they are due."""


def chunks_of(messages: Iterable[Group], now: datetime) -> dict[Group, int]:
    """Return the groups of a page's messages that are sent as a chunk, and their sizes."""
    sizes = Counter(messages)
    return {group: size for group, size in sizes.items() if size >= FEWEST or group[1] <= now}
