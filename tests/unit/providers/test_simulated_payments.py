"""The adapter of the simulator's gateway: classification of responses."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from models.enums import ChargeState
from providers.ports.messages import Ambiguous, NotFound, NotProcessed, Unanswered
from providers.ports.payments import (
    Charge,
    ChargeAnswer,
    ChargeLookUp,
    ChargeRequest,
    Gateways,
    RefundAnswer,
    Refunded,
    RefundRefused,
)
from providers.simulator.payments import SimulatedPayments

ORDER = ChargeRequest(
    reference="hxp-1-7",
    amount_cents=4900,
    currency="USD",
    payment_method_id="pm_123",
    callback_url="http://us/webhooks/simulator/payments/hxp-1-7",
    not_after=datetime(2100, 1, 1, tzinfo=UTC),
)


def charge(state: ChargeState, provider_code: str | None = None) -> Charge:
    return Charge(
        charge_id="ch_1",
        state=state,
        amount_cents=4900,
        currency="USD",
        provider_code=provider_code,
    )


SUCCEEDED = charge(ChargeState.SUCCEEDED)
TERMS = {"amountCents": 4900, "currency": "USD"}


def gateway(
    answer: httpx.Response | Exception, asked: list[httpx.Request] | None = None
) -> SimulatedPayments:
    def handle(request: httpx.Request) -> httpx.Response:
        if asked is not None:
            asked.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return SimulatedPayments(
        httpx.AsyncClient(transport=httpx.MockTransport(handle)),
        "http://simulator/",
        timeout=timedelta(seconds=2),
        absence_window=timedelta(seconds=3),
    )


def told(status: str, http: int = 200, **more: object) -> httpx.Response:
    return httpx.Response(http, json={"id": "ch_1", "status": status, **TERMS, **more})


def ambiguous(status: int) -> Ambiguous:
    return Ambiguous(reason=str(status), provider_code=str(status))


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (told("succeeded"), SUCCEEDED),
        (told("processing"), charge(ChargeState.PROCESSING)),
        (told("requires_action"), charge(ChargeState.NEEDS_ACTION)),
        (
            told("declined", 402, errorCode="card_declined"),
            charge(ChargeState.DECLINED, "card_declined"),
        ),
        (told("failed", 409), charge(ChargeState.FAILED)),
        (httpx.Response(503), NotProcessed(reason="503", provider_code="503")),
        (
            httpx.Response(429, headers={"Retry-After": "7"}),
            NotProcessed(reason="429", provider_code="429", retry_after=timedelta(seconds=7)),
        ),
        (told("unheard-of"), ambiguous(200)),
        (told("declined", 400), ambiguous(400)),
        (told("succeeded", 500), ambiguous(500)),
        (httpx.Response(409, json={"code": 20409}), ambiguous(409)),
        (httpx.Response(401), NotProcessed(reason="401", provider_code="401")),
        (httpx.Response(403), ambiguous(403)),
        (httpx.Response(302, headers={"Location": "/"}), ambiguous(302)),
        (httpx.Response(200, text="not json"), ambiguous(200)),
        (httpx.Response(200, json=["id"]), ambiguous(200)),
        (told("succeeded", id=""), ambiguous(200)),
        (told("succeeded", id="c" * 129), ambiguous(200)),
        (told("succeeded", amountCents=None), ambiguous(200)),
        (told("succeeded", amountCents="4900"), ambiguous(200)),
        (told("succeeded", currency=None), ambiguous(200)),
    ],
)
async def test_an_answer_to_charging_or_canceling_means_what_the_table_says(
    response: httpx.Response, answer: ChargeAnswer
) -> None:
    assert await gateway(response).charge(ORDER) == answer
    assert await gateway(response).cancel("ch_1") == answer


async def test_a_charge_carries_its_key_and_everything_that_is_due() -> None:
    asked: list[httpx.Request] = []
    await gateway(told("succeeded"), asked).charge(ORDER)
    [request] = asked
    assert (request.url.path, request.headers["Idempotency-Key"]) == ("/charges", "hxp-1-7")
    assert json.loads(request.content) == {
        "reference": "hxp-1-7",
        "amountCents": 4900,
        "currency": "USD",
        "paymentMethodId": "pm_123",
        "callbackUrl": "http://us/webhooks/simulator/payments/hxp-1-7",
    }


def test_a_charge_shows_no_payment_method() -> None:
    assert "pm_123" not in repr(ORDER)


@pytest.mark.parametrize(
    ("response", "truth"),
    [
        (httpx.Response(200, json={"items": []}), NotFound()),
        (
            httpx.Response(200, json={"items": [{"id": "ch_1", "status": "succeeded", **TERMS}]}),
            SUCCEEDED,
        ),
        (
            httpx.Response(200, json={"items": [{"id": "ch_1", "status": "succeeded"}]}),
            Unanswered(reason="KeyError"),
        ),
        (httpx.Response(200, json={"items": ["ch_1"]}), Unanswered(reason="TypeError")),
        (httpx.Response(200, json={"items": {}}), Unanswered(reason="TypeError")),
        (httpx.Response(200, json={}), Unanswered(reason="KeyError")),
        (httpx.Response(404, json={"items": []}), Unanswered(reason="HTTPStatusError")),
        (httpx.Response(500), Unanswered(reason="HTTPStatusError")),
        (httpx.ConnectError("away"), Unanswered(reason="ConnectError")),
    ],
)
async def test_a_look_up_finds_does_not_find_or_learns_nothing(
    response: httpx.Response | Exception, truth: ChargeLookUp
) -> None:
    assert await gateway(response).look_up("hxp-1-7") == truth


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (httpx.Response(200, json={"id": "re_1"}), Refunded(refund_id="re_1")),
        (httpx.Response(409, json={"code": 50410}), Refunded(refund_id=None)),
        (httpx.Response(409, json={"code": 50409}), RefundRefused(provider_code="50409")),
        (httpx.Response(404, json={"code": 20404}), RefundRefused(provider_code="20404")),
        (httpx.Response(409, json={}), ambiguous(409)),
        (httpx.Response(200, json={}), ambiguous(200)),
        (httpx.Response(500), ambiguous(500)),
        (httpx.Response(503), NotProcessed(reason="503", provider_code="503")),
    ],
)
async def test_an_answer_to_a_refund_means_what_the_table_says(
    response: httpx.Response, answer: RefundAnswer
) -> None:
    asked: list[httpx.Request] = []
    assert await gateway(response, asked).refund("ch_1", "hxp-1-7-refund") == answer
    [request] = asked
    assert request.headers["Idempotency-Key"] == "hxp-1-7-refund"
    assert json.loads(request.content) == {"chargeId": "ch_1"}


async def test_a_charge_id_is_part_of_a_path_and_nothing_more() -> None:
    asked: list[httpx.Request] = []
    await gateway(told("canceled"), asked).cancel("../x?y#z")
    assert asked[0].url.raw_path == b"/charges/..%2Fx%3Fy%23z/cancel"


def test_an_installation_knows_its_gateways_by_name() -> None:
    gateways = Gateways({})
    assert gateways.find("simulator") is None
