"""The door of every webhook about something of ours: signature first, then the address."""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from models.errors import Forbidden, MalformedJson, NotFound
from providers.ports.messages import ForgedWebhook


class Referring(Protocol):
    """Something told under a reference of ours."""

    @property
    def reference(self) -> str:
        """The one it was told under."""
        ...


Told = TypeVar("Told", bound=Referring | None)


def verified(
    verifiers: Mapping[str, Callable[[Mapping[str, str], bytes], Told]],
    vendor: str,
    reference: str,
    headers: Mapping[str, str],
    body: bytes,
) -> Told:
    """Return what a vendor told at the address of a reference.

    Raises:
        NotFound: no such vendor.
        Forbidden: the signature is wrong, or it belongs to another reference.
        MalformedJson: the body cannot be read although its signature is right.
    """
    verify = verifiers.get(vendor)
    if verify is None:
        raise NotFound
    try:
        told = verify(headers, body)
    except ForgedWebhook as error:
        raise Forbidden("The signature is not valid.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise MalformedJson("The signature is valid, but the body is not a report.") from error
    if told is not None and told.reference != reference:
        raise Forbidden("The report belongs to another reference than that in the address.")
    return told
