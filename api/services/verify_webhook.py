"""Verifies webhooks of vendors: the signature first, then the reference in the address."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeVar

from models.errors import Forbidden, MalformedJson, NotFound
from providers.ports.messages import ForgedWebhook, Webhook


class Referenced(Protocol):
    """An event that names a reference."""

    @property
    def reference(self) -> str:
        """The reference of the message, payment or operation."""
        ...


EventT = TypeVar("EventT", bound=Referenced | None)


def verify_webhook(
    verifiers: Mapping[str, Callable[[Mapping[str, str], bytes], EventT]],
    vendor: str,
    reference: str,
    headers: Mapping[str, str],
    body: bytes,
) -> EventT:
    """Verify and parse a webhook at the address of a reference.

    Raises:
        NotFound: no such vendor.
        Forbidden: the signature is wrong, or it belongs to another reference.
        MalformedJson: the body cannot be read although its signature is right.
    """
    verify = verifiers.get(vendor)
    if verify is None:
        raise NotFound
    try:
        event = verify(headers, body)
    except ForgedWebhook as error:
        raise Forbidden("The signature is not valid.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise MalformedJson("The signature is valid, but the body is not a report.") from error
    if event is not None and event.reference != reference:
        raise Forbidden("The report belongs to another reference than that in the address.")
    return event


ReadT = TypeVar("ReadT")


async def verify(
    verifiers: Mapping[str, Callable[[Webhook], Awaitable[ReadT]]], account: str, webhook: Webhook
) -> ReadT:
    """Verify and read a webhook of an account.

    Raises:
        NotFound: no such account.
        Forbidden: the signature is wrong.
        MalformedJson: the body cannot be read although its signature is right.
    """
    read = verifiers.get(account)
    if read is None:
        raise NotFound
    try:
        return await read(webhook)
    except ForgedWebhook as error:
        raise Forbidden("The signature is not valid.") from error
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise MalformedJson("The signature is valid, but the body cannot be read.") from error
