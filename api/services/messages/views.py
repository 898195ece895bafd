"""Builds the views of messages, as they are now or as they were when an event was recorded."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from api.schemas.messages import MessageView
from api.schemas.money import MessagePrice
from api.services.messages.trail import trail
from models.enums import FINAL_REPORT, AttemptState, Channel
from models.queries.messages.read import (
    Found,
    Price,
    find_prices,
    list_attempts,
    list_receipts,
)
from models.rules.messages.channels import voice
from models.session import ReadSession
from models.tables.base import row_id
from models.tables.message import Attempt, Message, Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class PastMessage:
    """A message at an event: its row now, and what the event recorded of it.

    `state` is the JSON that the trigger on table `message` stores (decision 73).
    """

    found: Found
    state: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What views of messages are made of, by row id."""

    attempts: Mapping[int, Sequence[Attempt]]
    receipts: Mapping[int, Sequence[Receipt]]
    prices: Mapping[int, Price]


async def message_views(
    db: ReadSession, tenant_id: int, found: Sequence[Found]
) -> list[MessageView]:
    """Return the views of messages as they are now, in order."""
    parts = await _read_parts(db, tenant_id, [row_id(message.id) for message, _ in found])
    views = []
    for message, merchant in found:
        id = row_id(message.id)
        views.append(
            _view(message, merchant, parts.prices.get(id), parts.attempts[id], parts.receipts[id])
        )
    return views


async def past_message_views(
    db: ReadSession, tenant_id: int, moments: Sequence[PastMessage]
) -> list[MessageView]:
    """Return the views of messages as they were at events, in order.

    The price is shown as it is now, if the message had ended: it may have become known later.
    """
    ids = {row_id(moment.found[0].id) for moment in moments}
    parts = await _read_parts(db, tenant_id, sorted(ids))
    return [_past_view(moment, parts) for moment in moments]


async def _read_parts(db: ReadSession, tenant_id: int, ids: Sequence[int]) -> _Parts:
    attempts: defaultdict[int, list[Attempt]] = defaultdict(list)
    receipts: defaultdict[int, list[Receipt]] = defaultdict(list)
    for attempt in await list_attempts(db, tenant_id, ids):
        attempts[attempt.message_id].append(attempt)
    for receipt in await list_receipts(db, tenant_id, ids):
        receipts[receipt.message_id].append(receipt)
    return _Parts(
        attempts=attempts, receipts=receipts, prices=await find_prices(db, tenant_id, ids)
    )


_TIMES: Final = {
    "sentAt": "sent_at",
    "completedAt": "completed_at",
    "correctedAt": "corrected_at",
}


def _past_view(moment: PastMessage, parts: _Parts) -> MessageView:
    """Return one view.

    Postgres gives the time of an event, workers and API give those of attempts and reports. Their
    clocks may differ, so nothing is left out that precedes the times of the message itself.
    """
    now, merchant = moment.found
    id, state = row_id(now.id), moment.state
    times = {name: _moment(state[key]) for key, name in _TIMES.items()}
    at = max([moment.at, *(time for time in times.values() if time is not None)])
    attempts = [
        _past_attempt(attempt, at)
        for attempt in parts.attempts[id]
        if attempt.number <= state["attempts"]
    ]
    message = Message(
        **{
            **_columns(now),
            **times,
            "status": state["status"],
            "billed_units": state["billedUnits"],
            "attempts": state["attempts"],
            "error_code": state["errorCode"],
            "provider_code": state["providerCode"],
            "provider": attempts[-1].provider if attempts else None,
            "held_back_at": _unless_later(now.held_back_at, at),
        }
    )
    receipts = [receipt for receipt in parts.receipts[id] if receipt.received_at <= at]
    price = None if message.completed_at is None else parts.prices.get(id)
    return _view(message, merchant, price, attempts, receipts)


def _past_attempt(attempt: Attempt, at: datetime) -> Attempt:
    """Return the attempt without an outcome that it got later."""
    if _unless_later(attempt.finished_at, at) is not None:
        return attempt
    return Attempt(**{**_columns(attempt), "state": AttemptState.REQUESTED, "finished_at": None})


def _columns(row: Message | Attempt) -> dict[str, Any]:
    return {name: getattr(row, name) for name in type(row).model_fields}


def _unless_later(time: datetime | None, at: datetime) -> datetime | None:
    return None if time is None or time > at else time


def _moment(given: str | None) -> datetime | None:
    return None if given is None else datetime.fromisoformat(given)


def _view(
    message: Message,
    merchant: str | None,
    price: Price | None,
    attempts: Sequence[Attempt],
    receipts: Sequence[Receipt],
) -> MessageView:
    return MessageView(
        message_id=str(message.public_id),
        merchant_id=merchant,
        channel=message.channel,
        type=message.type,
        to=message.to_contact,
        recipients=message.details.get("to") or [message.to_contact],
        sender=message.sender,
        status=message.status,
        units=_units(message, receipts),
        billed_units=message.billed_units,
        price=None if price is None else _price_view(price),
        attempts=message.attempts,
        error_code=message.error_code,
        provider_code=message.provider_code,
        provider=message.provider,
        metadata=message.attributes,
        accepted_at=message.accepted_at,
        send_at=message.due_at if message.due_at > message.accepted_at else None,
        expires_at=message.expires_at,
        sent_at=message.sent_at,
        completed_at=message.completed_at,
        events=trail(message, attempts, receipts),
    )


def _units(message: Message, receipts: Sequence[Receipt]) -> int:
    """Return the units that are billed; of an ended call, those of its duration."""
    if message.channel != Channel.VOICE or message.completed_at is None:
        return message.units
    final = next((receipt for receipt in receipts if receipt.status in FINAL_REPORT), None)
    return voice.came_to(
        billed=message.billed_units,
        held=message.units,
        reported_seconds=None if final is None else final.duration_seconds,
    )


def _price_view(price: Price) -> MessagePrice:
    return MessagePrice(
        provider_cost=price.provider_cost,
        carrier_fee=price.carrier_fee,
        markup=price.markup,
        total=price.provider_cost + price.carrier_fee + price.markup,
        currency="USD",
        state=price.state,
    )
