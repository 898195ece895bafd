"""Which number a message is sent from."""

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
"""The provider whose numbers exist in SIMULATOR mode, and only there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnNumber:
    """A number that one merchant sends from."""

    number: str = field(repr=False)
    registered: bool
    """Assigned to an approved 10DLC campaign, or an operator vouches for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Senders:
    """What a merchant may send from, and what it sent from last."""

    own: Sequence[OwnNumber]
    pool: Sequence[str] = field(repr=False)
    """Of the tenant, for merchants that have none of their own."""
    last: str | None = field(default=None, repr=False)
    """What the merchant's last message to the same recipient was sent from."""


def exists(provider: str | None, mode: DeliveryMode) -> bool:
    """Say whether a number of a provider may be used in a mode; one an operator added may in both.

    What was bought in the simulator is nobody's to send from in the real world, and the reverse.
    """
    return provider is None or (provider == SANDBOX) == (mode is DeliveryMode.SIMULATOR)


def us_type(number: str) -> NumberType | None:
    """Say as what a number is sold in the US; None if it is another country's, or no such thing.

    Numbers of the US territories are sold as those of the US; numbers of services, of persons and
    of the government (+1 500, +1 710, +1 900 …) are not sold.
    """
    area_code = area_code_of(number)
    if area_code is None:
        return None
    if is_toll_free(area_code):
        return NumberType.TOLL_FREE
    return NumberType.LOCAL if is_geographic(area_code) and is_us(area_code) else None


def needs_registration(number: str) -> bool:
    """Say whether carriers want texts from this number registered: it is a US long code.

    Those of the territories are. Toll-free numbers are verified in another way; Canada and other
    countries know no 10DLC.
    """
    area_code = area_code_of(number)
    return area_code is not None and not is_toll_free(area_code) and is_us(area_code)


def may_send(number: OwnNumber, *, channel: Channel, mode: DeliveryMode) -> bool:
    """Say whether a merchant's own number may be used: 10DLC is about texts, in live mode."""
    if channel is not Channel.SMS or mode is not DeliveryMode.LIVE:
        return True
    return number.registered or not needs_registration(number.number)


def choose(
    senders: Senders, *, channel: Channel, mode: DeliveryMode, merchant_id: int, contact: str
) -> str | None:
    """Return the number to send from; None if there is none that may be used.

    A merchant with numbers of its own uses these and never the pool. A recipient hears from the
    same number as long as it may be used. `senders` may hold only a few candidates of each kind
    (`models.queries.senders.candidates`). Among several the number is that of the highest hash
    (rendezvous): another number more or less moves only those it is about.
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
    # What the simulator shows is what carriers would see: registered numbers first.
    registered = [n for n in usable if n.registered or not needs_registration(n.number)]
    return [n.number for n in registered or usable]


def _weight(merchant_id: int, contact: str, number: str) -> bytes:
    return hashlib.sha256(f"{merchant_id}\x1f{contact}\x1f{number}".encode()).digest()
