"""An invalid payload of the simulator is never accepted as an answer."""

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final

import httpx
import pytest

from models.rules.registration.vocabulary import NumberType
from providers.ports.messages import Ambiguous, NotProcessed, Unanswered, Webhook
from providers.simulator import messages, payments, registry
from tests.unit.providers.payload_mistakes import (
    MISSING,
    NO_NUMBER,
    NO_WORD,
    WRONG,
    Field,
    Path,
    mistakes,
)
from tests.unit.providers.simulated_report import EVENT, LOOK_UP, SECRET, posted, signed
from tests.unit.providers.test_simulated import SMS, simulator
from tests.unit.providers.test_simulated_payments import ORDER, gateway
from tests.unit.providers.test_simulated_registry import BRAND_REQUEST, REASON
from tests.unit.providers.test_simulated_registry import registry as registry_of

Call = Callable[[httpx.Response], Awaitable[object]]

CHARGE: Final = {"id": "ch_1", "status": "succeeded", "amountCents": 4900, "currency": "USD"}
ITEM: Final = {"id": "m1", "reference": "hx-1-2-3", "channel": "SMS", "events": [EVENT]}
RECORD: Final = {"id": "b1", "status": "rejected", "reasons": [REASON]}
OFFER: Final = {"number": "+18132201000", "type": "LOCAL", "locality": "Tampa", "region": "FL"}
INBOUND: Final = {
    "type": "inbound",
    "eventId": "e1",
    "from": "+18135551234",
    "to": "+15005550006",
    "body": "STOP",
    "at": "2026-11-23T12:00:00.000Z",
}
TOLD_CHARGE: Final = {
    "type": "charge",
    "eventId": "e1",
    "chargeId": "ch_1",
    "reference": "hxp-1-7",
    "amountCents": 4900,
    "currency": "USD",
    "status": "succeeded",
    "errorCode": None,
    "at": "2026-11-23T12:00:00.000Z",
}
NEWS: Final = {"type": "registration", "reference": "hxr-brand-1-2-3"}

NO_AMOUNT: Final = (MISSING, *NO_NUMBER, -1, 2**63, 10**400)
NO_LIST: Final[tuple[object, ...]] = (MISSING, None, True, 7, "", "m1", {}, {"0": {}}, float("nan"))
NO_ITEM: Final[tuple[object, ...]] = (None, True, 7, "", "m1", [], [[]], {})
NO_TIME: Final = (MISSING, *NO_WORD, "yesterday", "2026-11-23T12:00:00", "0001-01-01T00:00+23:59")
NO_CODE: Final = (*WRONG[1:], "", "a\0b", "a\ud800b")
"""Values that are not an error code; null means none."""
REQUIRED: Final = (MISSING, *NO_WORD)
NO_REFERENCE: Final = (MISSING, *WRONG, 7, 10**400)
"""Values that are not a reference; any text is one, and is compared with ours."""

OF_AN_EVENT: Final[list[Field]] = [
    (("eventId",), REQUIRED),
    (("status",), (MISSING,)),
    (("at",), NO_TIME),
    (("errorCode",), NO_CODE),
    (("durationSeconds",), (*NO_NUMBER[1:], -1, 2**31)),
    (("recipient",), NO_WORD[1:]),
    (("bounceType",), (*NO_WORD[1:-4], "a\0b", "a\ud800b")),
    (("price",), (*NO_WORD[1:], "-1", "1e3", "1,5", "9" * 10, "NaN", "Infinity")),
]
OF_A_CHARGE: Final[list[Field]] = [
    (("status",), (*REQUIRED, "unheard-of")),
    (("amountCents",), NO_AMOUNT),
    (("currency",), (*REQUIRED, "USDX")),
    (("errorCode",), NO_CODE),
]
OF_A_REASON: Final[list[Field]] = [
    (("code",), (MISSING, None, *NO_CODE)),
    (("message",), (MISSING, *NO_WORD[:-1])),
    (("field",), NO_WORD[1:]),
]


def below(prefix: Path, fields: Sequence[Field]) -> list[Field]:
    return [((*prefix, *path), values) for path, values in fields]


async def send(response: httpx.Response) -> object:
    return await simulator(response).send(SMS)


async def charge(response: httpx.Response) -> object:
    return await gateway(response).charge(ORDER)


async def cancel(response: httpx.Response) -> object:
    return await gateway(response).cancel("ch_1")


async def refund(response: httpx.Response) -> object:
    return await gateway(response).refund("ch_1", "key")


async def submit(response: httpx.Response) -> object:
    return await registry_of(response).submit(BRAND_REQUEST)


ANSWERS: Final[list[tuple[Call, int, Any, list[Field]]]] = [
    (send, 202, {"id": "m1"}, [(("id",), REQUIRED)]),
    (send, 400, {"code": 21211}, [(("code",), (MISSING, *NO_NUMBER, "21211", 21211.9))]),
    (send, 422, {"code": 21211}, [(("code",), (MISSING, *NO_NUMBER, "21211", 21211.9))]),
    (charge, 200, CHARGE, [(("id",), REQUIRED), *OF_A_CHARGE]),
    (charge, 402, {**CHARGE, "status": "declined"}, [(("id",), REQUIRED), *OF_A_CHARGE]),
    (cancel, 409, CHARGE, [(("id",), REQUIRED), *OF_A_CHARGE]),
    (refund, 200, {"id": "re_1"}, [(("id",), REQUIRED)]),
    (refund, 404, {"code": 20404}, [(("code",), (MISSING, *NO_NUMBER))]),
    (refund, 409, {"code": 50410}, [(("code",), (MISSING, *NO_NUMBER))]),
    (
        submit,
        202,
        RECORD,
        [
            (("id",), REQUIRED),
            (("status",), (*REQUIRED, "?")),
            (("reasons",), NO_LIST),
            (("reasons", 0), NO_ITEM),
            *below(("reasons", 0), OF_A_REASON),
        ],
    ),
    (submit, 422, REASON, OF_A_REASON),
]
"""A call, a status whose body is read, a valid document, and invalid values of each field."""


def answers() -> Iterator[Any]:
    for call, status, document, fields in ANSWERS:
        for wrong, bodies in mistakes(document, fields):
            yield pytest.param(call, status, bodies, id=f"{call.__name__} {status}: {wrong}")


@pytest.mark.parametrize(("call", "status", "bodies"), list(answers()))
async def test_an_answer_that_cannot_be_read_is_ambiguous(
    call: Call, status: int, bodies: list[bytes]
) -> None:
    ambiguous = Ambiguous(reason=str(status), provider_code=str(status))
    read = {body: await call(httpx.Response(status, content=body)) for body in bodies}
    assert [body[:200] for body, answer in read.items() if answer != ambiguous] == []


@pytest.mark.parametrize(("call", "document"), [(call, good) for call, _, good, _ in ANSWERS])
@pytest.mark.parametrize("status", [401, 421, 429, 503])
async def test_what_says_that_nothing_was_done_needs_no_body(
    call: Call, document: Any, status: int
) -> None:
    for body in (b"", b"[", b"[" * 100_000, json.dumps(document).encode()):
        answer = await call(httpx.Response(status, content=body))
        fault = status == 401 and call is send  # only messages go to another account then
        assert answer == NotProcessed(
            reason=str(status), provider_code=str(status), account_fault=fault
        )


@pytest.mark.parametrize(("call", "status", "document", "fields"), ANSWERS)
async def test_unknown_fields_change_no_answer(
    call: Call, status: int, document: Any, fields: list[Field]
) -> None:
    plain = await call(httpx.Response(status, json=document))
    assert not isinstance(plain, Ambiguous)
    more = {**document, "livemode": False, "metadata": {"a": [1]}, "message_id": None}
    assert await call(httpx.Response(status, json=more)) == plain


async def look_up_message(response: httpx.Response) -> object:
    return await simulator(response).look_up(LOOK_UP)


async def look_up_charge(response: httpx.Response) -> object:
    return await gateway(response).look_up("hxp-1-7")


async def look_up_record(response: httpx.Response) -> object:
    return await registry_of(response).look_up(BRAND_REQUEST)


async def search(response: httpx.Response) -> object:
    one = registry_of(response)
    return await one.search_numbers(area_code=None, type=NumberType.LOCAL, limit=5)


LOOK_UPS: Final[list[tuple[Call, Any, list[Field]]]] = [
    (
        look_up_message,
        ITEM,
        [
            (("id",), REQUIRED),
            (("reference",), (*NO_WORD, "hx-1-2-4")),
            (("channel",), (*NO_WORD[1:], "FAX", "EMAILS")),
            (("events",), NO_LIST),
            (("events", 0), NO_ITEM),
            *below(("events", 0), OF_AN_EVENT),
        ],
    ),
    (look_up_charge, CHARGE, [(("id",), REQUIRED), *OF_A_CHARGE]),
    (
        look_up_record,
        RECORD,
        [
            (("id",), REQUIRED),
            (("status",), (*REQUIRED, "?")),
            (("reasons",), NO_LIST),
            *below(("reasons", 0), OF_A_REASON),
        ],
    ),
    (
        search,
        OFFER,
        [
            (("number",), REQUIRED),
            (("type",), (*REQUIRED, "MOBILE")),
            (("locality",), (True, 7, [], {})),
            (("region",), (True, 7, [], {})),
        ],
    ),
]


def look_ups() -> Iterator[Any]:
    for call, item, fields in LOOK_UPS:
        wrong = [(("items",), NO_LIST), (("items", 0), NO_ITEM), *below(("items", 0), fields)]
        for name, bodies in mistakes({"items": [item]}, wrong):
            yield pytest.param(call, bodies, id=f"{call.__name__}: {name}")


@pytest.mark.parametrize(("call", "bodies"), list(look_ups()))
async def test_an_unreadable_look_up_is_unanswered(call: Call, bodies: list[bytes]) -> None:
    read = {body: await call(httpx.Response(200, content=body)) for body in bodies}
    assert [body[:200] for body, told in read.items() if not isinstance(told, Unanswered)] == []


@pytest.mark.parametrize(("call", "item", "fields"), LOOK_UPS)
async def test_unknown_fields_change_no_look_up(call: Call, item: Any, fields: list[Field]) -> None:
    plain = await call(httpx.Response(200, json={"items": [item]}))
    assert not isinstance(plain, Unanswered)
    more = {"items": [{**item, "livemode": False, "nested": {"a": [1]}}], "count": 1, "next": None}
    assert await call(httpx.Response(200, json=more)) == plain


Reader = Callable[[Webhook], Awaitable[object]]


WEBHOOKS: Final[list[tuple[str, Reader, Any, list[Field]]]] = [
    (
        "report",
        messages.verifier(SECRET),
        EVENT,
        [
            *OF_AN_EVENT,
            (("messageId",), REQUIRED),
            (("reference",), NO_REFERENCE),
            (("channel",), (*NO_WORD[1:], "FAX")),
        ],
    ),
    (
        "inbound",
        messages.inbound_verifier(SECRET),
        INBOUND,
        [
            (("type",), (*REQUIRED, "report")),
            (("eventId",), REQUIRED),
            (("from",), (MISSING, *(wrong for wrong in WRONG if wrong is not None), 7)),
            (("to",), (MISSING, *WRONG, 7)),
            (("body",), (MISSING, *WRONG, 7)),
            (("at",), NO_TIME),
        ],
    ),
    (
        "charge",
        payments.verifier(SECRET),
        TOLD_CHARGE,
        [
            (("type",), NO_REFERENCE),
            (("eventId",), REQUIRED),
            (("chargeId",), REQUIRED),
            (("reference",), NO_REFERENCE),
            (("at",), NO_TIME),
            *OF_A_CHARGE,
        ],
    ),
    (
        "registration",
        registry.event_verifier(SECRET),
        NEWS,
        [(("type",), (MISSING,)), (("reference",), NO_REFERENCE)],
    ),
]


def webhooks() -> Iterator[Any]:
    for name, read, document, fields in WEBHOOKS:
        for wrong, bodies in mistakes(document, fields):
            yield pytest.param(read, bodies, id=f"{name}: {wrong}")


@pytest.mark.parametrize(("read", "bodies"), list(webhooks()))
async def test_a_signed_webhook_that_cannot_be_read_is_refused_without_showing_it(
    read: Reader, bodies: list[bytes]
) -> None:
    for body in bodies:
        with pytest.raises((ValueError, KeyError, TypeError)) as raised:
            await read(posted(signed(body), body))
        shown = f"{raised.value} {raised.value.__cause__}"
        private = ("+1813", "+1500", "STOP", "hxp-1-7", "hx-1-2-3", "www")
        assert [word for word in private if word in shown] == []


@pytest.mark.parametrize(("name", "read", "document", "fields"), WEBHOOKS)
async def test_unknown_fields_change_no_webhook(
    name: str, read: Reader, document: Any, fields: list[Field]
) -> None:
    plain, more = (
        json.dumps(told).encode()
        for told in (document, {**document, "apiVersion": 3, "nested": {"a": [1]}})
    )
    told = await read(posted(signed(plain), plain))
    assert told
    assert await read(posted(signed(more), more)) == told
