"""Verifies webhooks of vendors: the signature first, then the reference in the address."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from models.errors import Forbidden, MalformedJson, NotFound
from providers.ports.messages import ForgedWebhook, Webhook


class Referenced(Protocol):
    """An event that names a reference."""

    @property
    def reference(self) -> str:
        """The reference of the message, payment or operation."""
        ...


ReadT = TypeVar("ReadT")
EventT = TypeVar("EventT", bound=Referenced)


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


async def verified_events(
    verifiers: Mapping[str, Callable[[Webhook], Awaitable[Sequence[EventT]]]],
    account: str,
    webhook: Webhook,
    reference: str | None,
) -> Sequence[EventT]:
    """Return the events of a webhook; none if it holds none of interest.

    `reference` is that in the address, None for a vendor that posts everything to one address.

    Raises:
        NotFound: no such account.
        Forbidden: the signature is wrong, or an event belongs to another reference than that in the
            address.
        MalformedJson: the body cannot be read although its signature is right.
    """
    events = await verify(verifiers, account, webhook)
    if reference is not None and any(event.reference != reference for event in events):
        raise Forbidden("The report belongs to another reference than that in the address.")
    return events
