"""The reference that travels to a provider and back: it names tenant, message and attempt."""

import re
from dataclasses import dataclass

_SHAPE = re.compile(r"hx-(\d{1,18})-(\d{1,18})-(\d{1,4})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One attempt, so that a report finds its row without searching every tenant."""

    tenant_id: int
    message_id: int
    attempt: int

    def __str__(self) -> str:
        return f"hx-{self.tenant_id}-{self.message_id}-{self.attempt}"


def parse_reference(text: str) -> Reference | None:
    """Read a reference; None if it is not one of ours."""
    match = _SHAPE.fullmatch(text)
    if match is None:
        return None
    tenant, message, attempt = (int(part) for part in match.groups())
    return Reference(tenant_id=tenant, message_id=message, attempt=attempt)
