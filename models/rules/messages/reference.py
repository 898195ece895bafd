"""The references that travel to a provider and back: they name tenant and attempt or payment."""

import re
from dataclasses import dataclass

_PAYMENT_SHAPE = re.compile(r"hxp-(\d{1,18})-(\d{1,18})(?:-([a-z2-7]{8}))?", re.ASCII)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentReference:
    """One payment; also the key under which a gateway charges it once.

    Ids come again when a database is restored or made anew, charges stay at the gateway for ever:
    `nonce`, eight random characters of base32, keeps an old charge from being taken for a new one.
    """

    tenant_id: int
    payment_id: int
    nonce: str
    """Empty for payments that were ordered before there was one."""

    def __str__(self) -> str:
        ids = f"hxp-{self.tenant_id}-{self.payment_id}"
        return f"{ids}-{self.nonce}" if self.nonce else ids

    @property
    def refund_key(self) -> str:
        """The key under which a gateway gives its money back once."""
        return f"{self}-refund"


def parse_payment_reference(text: str) -> PaymentReference | None:
    """Read the reference of a payment; None if it is not one of ours."""
    match = _PAYMENT_SHAPE.fullmatch(text)
    if match is None:
        return None
    tenant, payment, nonce = match.groups(default="")
    return PaymentReference(tenant_id=int(tenant), payment_id=int(payment), nonce=nonce)
