"""Chooses the number that a message is sent from."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from models.enums import Channel, DeliveryMode
from models.rules.registration.vocabulary import NumberType
from models.rules.senders.north_america import (
    area_code_of,
    is_geographic,
    is_toll_free,
    is_us,
)

SANDBOX: Final = "simulator"
"""Provider whose numbers exist only in SIMULATOR mode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnNumber:
    """A number that one merchant sends from."""

    number: str = field(repr=False)
    ready: bool
    """Carriers accept texts from it: the stored flag `sender_number.ready`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Senders:
    """Numbers a merchant may send from, and the one it used last."""

    own: Sequence[OwnNumber]
    pool: Sequence[str] = field(repr=False)
    """The tenant's shared numbers, for merchants without numbers of their own."""
    last: str | None = field(default=None, repr=False)
    """Sender of the merchant's last message to the same recipient."""


def exists(provider: str | None, mode: DeliveryMode) -> bool:
    """Return whether a provider's number may be used in a mode.

    Numbers of the simulator are used only in SIMULATOR mode, those of real providers only in LIVE
    mode. A number that an operator added (no provider) may be used in both.
    """
    return provider is None or (provider == SANDBOX) == (mode is DeliveryMode.SIMULATOR)


def us_type(number: str) -> NumberType | None:
    """Return the type of a US number; None for numbers of other countries and numbers not sold.

    Numbers of the US territories are sold as US numbers. Numbers of services, persons and the
    government (+1 500, +1 710, +1 900 …) are not sold.
    """
    area_code = area_code_of(number)
    if area_code is None:
        return None
    if is_toll_free(area_code):
        return NumberType.TOLL_FREE
    return NumberType.LOCAL if is_geographic(area_code) and is_us(area_code) else None


def needs_registration(number: str) -> bool:
    """Return whether texts from this number need 10DLC registration: it is a US long code.

    This includes the territories. Toll-free numbers are verified instead; Canada and other
    countries have no 10DLC.
    """
    area_code = area_code_of(number)
    return area_code is not None and not is_toll_free(area_code) and is_us(area_code)


def may_send(number: OwnNumber, *, channel: Channel, mode: DeliveryMode) -> bool:
    """Return whether a merchant's own number may be used; 10DLC applies to SMS in LIVE mode."""
    if channel is not Channel.SMS or mode is not DeliveryMode.LIVE:
        return True
    return number.ready


def choose(
    senders: Senders, *, channel: Channel, mode: DeliveryMode, merchant_id: int, contact: str
) -> str | None:
    """Return the number to send from; None if none may be used.

    A merchant with numbers of its own uses only these, never the pool. A recipient gets messages
    from the same number as long as it may be used. `senders` may hold only a few candidates of each
    kind (`models.queries.senders.candidates`). Of several the number with the highest hash is used
    (rendezvous hashing), so adding or removing a number affects only its own recipients.
    """
    usable = _usable(senders, channel=channel, mode=mode)
    if not usable:
        return None
    if senders.last in usable:
        return senders.last
    return max(usable, key=lambda number: (_weight(merchant_id, contact, number), number))


def _usable(senders: Senders, *, channel: Channel, mode: DeliveryMode) -> Sequence[str]:
    if not senders.own:
        return senders.pool
    usable = [n for n in senders.own if may_send(n, channel=channel, mode=mode)]
    # Prefer ready numbers in the simulator too, as in LIVE mode.
    ready = [n for n in usable if n.ready]
    return [n.number for n in ready or usable]


def _weight(merchant_id: int, contact: str, number: str) -> bytes:
    return hashlib.sha256(f"{merchant_id}\x1f{contact}\x1f{number}".encode()).digest()
