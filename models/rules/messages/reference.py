"""References for providers and gateways; they name a tenant and an attempt or payment.

They consist of public ids, which are random: a new database does not reuse a reference under which
a provider still knows a message or charge of the previous database.
"""

import re
from dataclasses import dataclass

_PAYMENT_SHAPE = re.compile(r"hxp-(\d{1,16})-(\d{1,16})", re.ASCII)
_SHAPE = re.compile(r"hx-(\d{1,16})-(\d{1,16})-(\d{1,4})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Reference of one attempt. It lets a report find its row without searching every tenant.

    `tenant` and `message` are public ids.
    """

    tenant: int
    message: int
    attempt: int

    def __str__(self) -> str:
        return f"hx-{self.tenant}-{self.message}-{self.attempt}"


def parse_reference(text: str) -> Reference | None:
    """Parse a reference; None if it has another form."""
    match = _SHAPE.fullmatch(text)
    if match is None:
        return None
    tenant, message, attempt = (int(part) for part in match.groups())
    return Reference(tenant=tenant, message=message, attempt=attempt)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentReference:
    """Reference of one payment; also the idempotency key of its charge at the gateway.

    `tenant` and `payment` are public ids.
    """

    tenant: int
    payment: int

    def __str__(self) -> str:
        return f"hxp-{self.tenant}-{self.payment}"

    @property
    def refund_key(self) -> str:
        """Idempotency key of the refund at the gateway."""
        return f"{self}-refund"


def parse_payment_reference(text: str) -> PaymentReference | None:
    """Parse the reference of a payment; None if it has another form."""
    match = _PAYMENT_SHAPE.fullmatch(text)
    if match is None:
        return None
    tenant, payment = (int(part) for part in match.groups())
    return PaymentReference(tenant=tenant, payment=payment)
