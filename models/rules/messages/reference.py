"""The references that travel to a provider and back: they name tenant and attempt or payment.

They are made of public ids, which are random: a database that was made anew does not give a
reference again under which a provider still knows a message or a charge of the former one.
"""

import re
from dataclasses import dataclass

_PAYMENT_SHAPE = re.compile(r"hxp-(\d{1,16})-(\d{1,16})", re.ASCII)
_SHAPE = re.compile(r"hx-(\d{1,16})-(\d{1,16})-(\d{1,4})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One attempt, so that a report finds its row without searching every tenant.

    `tenant` and `message` are their public ids.
    """

    tenant: int
    message: int
    attempt: int

    def __str__(self) -> str:
        return f"hx-{self.tenant}-{self.message}-{self.attempt}"


def parse_reference(text: str) -> Reference | None:
    """Read a reference; None if it is not one of ours."""
    match = _SHAPE.fullmatch(text)
    if match is None:
        return None
    tenant, message, attempt = (int(part) for part in match.groups())
    return Reference(tenant=tenant, message=message, attempt=attempt)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentReference:
    """One payment; also the key under which a gateway charges it once.

    `tenant` and `payment` are their public ids.
    """

    tenant: int
    payment: int

    def __str__(self) -> str:
        return f"hxp-{self.tenant}-{self.payment}"

    @property
    def refund_key(self) -> str:
        """The key under which a gateway gives its money back once."""
        return f"{self}-refund"


def parse_payment_reference(text: str) -> PaymentReference | None:
    """Read the reference of a payment; None if it is not one of ours."""
    match = _PAYMENT_SHAPE.fullmatch(text)
    if match is None:
        return None
    tenant, payment = (int(part) for part in match.groups())
    return PaymentReference(tenant=tenant, payment=payment)
