"""Envelope senders name their attempt, and nobody else can make them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.smtp.verp import BounceAddresses, BouncedAttempt
from tests.smtp.mails import REFERENCE, SECRET

ADDRESSES = BounceAddresses("relay", "Bounces@mail.gym.example", SECRET)
LARGEST = 10**16 - 1


@given(st.integers(0, LARGEST), st.integers(0, LARGEST), st.integers(0, 9999), st.integers(1, 50))
def test_a_token_names_what_it_was_made_of(
    tenant: int, message: int, attempt: int, recipients: int
) -> None:
    reference = f"hx-{tenant}-{message}-{attempt}"
    address = ADDRESSES.write(reference, recipients=recipients)
    assert address is not None
    assert len(address.partition("@")[0]) <= 64
    named = BouncedAttempt(reference=reference, single=recipients == 1)
    assert ADDRESSES.read(address) == named
    # Mail systems on the way may change the case.
    assert ADDRESSES.read(address.upper()) == named
    assert ADDRESSES.read(address.lower()) == named


@pytest.mark.parametrize("reference", ["", "hx-1-2", "hx-01-2-3", "hxp-1-2", "test", "hx-1-2-3 "])
def test_a_reference_that_is_not_ours_gets_no_address(reference: str) -> None:
    assert ADDRESSES.write(reference, recipients=1) is None


@pytest.mark.parametrize(
    "other",
    [
        BounceAddresses("relay2", "bounces@mail.gym.example", SECRET),
        BounceAddresses("relay", "bounces@mail.gym.example", SECRET + b"x"),
        BounceAddresses("relay", "bounce@mail.gym.example", SECRET),
        BounceAddresses("relay", "bounces@other.example", SECRET),
    ],
    ids=["account", "secret", "local part", "domain"],
)
def test_an_address_of_another_account_or_secret_is_not_read(other: BounceAddresses) -> None:
    address = other.write(REFERENCE, recipients=1)
    assert address is not None
    assert ADDRESSES.read(address) is None


def test_a_changed_address_is_not_read() -> None:
    address = ADDRESSES.write(REFERENCE, recipients=1)
    assert address is not None
    start = address.index("+") + 1
    for place in range(start, start + 42):
        for one in "a2":
            changed = address[:place] + one + address[place + 1 :]
            # The last character has two bits that base32 does not use.
            if changed != address and place < start + 41:
                assert ADDRESSES.read(changed) is None
    for broken in ("", "@", "bounces@mail.gym.example", "bounces+@mail.gym.example",
                   address.replace("@", "x@"), address[1:], f"{address}x", "bounces+" + "1" * 42
                   + "@mail.gym.example", "bounces+" + "ü" * 42 + "@mail.gym.example"):  # fmt: skip
        assert ADDRESSES.read(broken) is None
