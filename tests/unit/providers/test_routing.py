"""Selection of the provider for the next attempt."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.enums import AttemptState, Channel, DeliveryMode
from providers.ports.messages import (
    Ambiguous,
    Answer,
    Capabilities,
    LookUp,
    LookUpRequest,
    NotFound,
    Proof,
    SendRequest,
)
from providers.routing import PastAttempt, Routes

LIVE = DeliveryMode.LIVE


@dataclass(frozen=True)
class Vendor:
    account: str
    channels: frozenset[Channel] = frozenset({Channel.SMS})
    proof: Proof = Proof.REFERENCE
    name: str = "vendor"
    capabilities: Capabilities = field(default_factory=Capabilities)
    reports_delivery: bool = True
    reports_price: bool = False
    timeout: timedelta = timedelta(seconds=1)
    absence_window: timedelta = timedelta(seconds=1)

    async def send(self, request: SendRequest) -> Answer:
        return Ambiguous(reason=request.reference)

    async def look_up(self, request: LookUpRequest) -> LookUp:
        return NotFound()


ROUTES = Routes(
    [Vendor("a"), Vendor("b"), Vendor("mail", frozenset({Channel.EMAIL}))],
    {LIVE: ["a", "mail", "b"]},
)


def next_after(*past: tuple[str, AttemptState]) -> str | None:
    attempts = [PastAttempt(account=name, state=state) for name, state in past]
    turns = ROUTES.in_turn(ROUTES.able(LIVE, Channel.SMS), attempts)
    return turns[0].account if turns else None


@pytest.mark.parametrize(
    ("past", "name"),
    [
        ([], "a"),
        ([("a", AttemptState.NOT_PROCESSED)], "b"),
        ([("a", AttemptState.NOT_PROCESSED), ("b", AttemptState.NOT_PROCESSED)], "a"),
        ([("a", AttemptState.REFUSED)], "b"),
        ([("a", AttemptState.REFUSED), ("b", AttemptState.NOT_PROCESSED)], "b"),
        ([("a", AttemptState.REFUSED), ("b", AttemptState.REFUSED)], None),
        ([("a", AttemptState.ABSENT)], "b"),
    ],
)
def test_refusing_providers_are_skipped_and_the_least_tried_is_next(
    past: list[tuple[str, AttemptState]], name: str | None
) -> None:
    assert next_after(*past) == name


def test_a_channel_without_a_route_has_no_provider() -> None:
    assert ROUTES.able(DeliveryMode.SIMULATOR, Channel.SMS) == []
    assert ROUTES.able(LIVE, Channel.VOICE) == []
    assert [provider.account for provider in ROUTES.able(LIVE, Channel.EMAIL)] == ["mail"]


def test_an_adapter_is_found_by_its_name() -> None:
    found = ROUTES.find("b")
    assert found is not None
    assert found.account == "b"
    assert [provider.account for provider in ROUTES.providers] == ["a", "b", "mail"]
    assert ROUTES.find("c") is None


PAST = st.lists(
    st.tuples(st.sampled_from(["a", "b", "gone"]), st.sampled_from(AttemptState)), max_size=8
)


@given(PAST)
def test_no_provider_is_tried_again_after_it_refused(past: list[tuple[str, AttemptState]]) -> None:
    refused = {name for name, state in past if state is AttemptState.REFUSED}
    following = next_after(*past)
    assert following not in refused
    assert (following is None) is ({"a", "b"} <= refused)


@pytest.mark.parametrize(
    ("account", "inferred", "accounts"),
    [
        ("a", False, ["b", "a"]),
        ("a", True, ["a"]),
        ("gone", True, ["a", "b"]),
    ],
)
def test_an_absence_that_is_not_proven_is_tried_again_by_the_same_account_alone(
    account: str, inferred: bool, accounts: list[str]
) -> None:
    past = [PastAttempt(account=account, state=AttemptState.ABSENT, inferred=inferred)]
    turns = ROUTES.in_turn(ROUTES.able(LIVE, Channel.SMS), past)
    assert [provider.account for provider in turns] == accounts
