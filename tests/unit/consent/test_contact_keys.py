"""Contact keys: equal for one contact, different for two, and dependent on the key file."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.enums import Channel
from models.rules.consent.contact_keys import BadContactKey, ContactKeys
from models.rules.consent.contacts import merged_contact
from tests.contacts import CONTACT_KEYS

OTHER = ContactKeys(1, b"another secret of thirty-two bytes")
NUMBERS = st.integers(2_000_000_000, 9_999_999_999).map(lambda n: f"+44{n}"[:13])
SEPARATORS = st.lists(st.sampled_from(["", " ", "-", ".", "/"]), min_size=12, max_size=12)
ADDRESSES = st.emails()


def line(secret: bytes, version: str = "1") -> str:
    return f"{version}:{b64encode(secret).decode()}"


@given(SEPARATORS)
def test_a_number_has_one_key_however_it_is_written(separators: list[str]) -> None:
    digits = "18135551234"
    written = "+" + "".join(d + s for d, s in zip(digits, separators, strict=False))
    assert CONTACT_KEYS.key(Channel.SMS, written) == CONTACT_KEYS.key(Channel.VOICE, f"+{digits}")


@given(ADDRESSES, ADDRESSES)
def test_two_addresses_have_one_key_only_if_they_are_one_contact(one: str, other: str) -> None:
    same = merged_contact(Channel.EMAIL, one) == merged_contact(Channel.EMAIL, other)
    keys = {CONTACT_KEYS.key(Channel.EMAIL, contact) for contact in (one, other)}
    assert (len(keys) == 1) is same


@given(ADDRESSES)
def test_case_does_not_count(address: str) -> None:
    assert CONTACT_KEYS.key(Channel.EMAIL, address.upper()) == CONTACT_KEYS.key(
        Channel.EMAIL, merged_contact(Channel.EMAIL, address.upper())
    )


def test_another_secret_or_version_makes_other_keys() -> None:
    number = "+18135551234"
    again = ContactKeys(2, b"another secret of thirty-two bytes")
    keys = [made.key(Channel.SMS, number) for made in (CONTACT_KEYS, OTHER, again)]
    assert len(set(keys)) == 3
    assert [key.partition(".")[0] for key in keys] == ["1", "1", "2"]
    assert OTHER.check_value != CONTACT_KEYS.check_value


def test_a_hash_of_one_purpose_is_none_of_another() -> None:
    text = "phone\x1f+18135551234"
    key = CONTACT_KEYS.key(Channel.SMS, "+18135551234").partition(".")[2]
    assert key not in {CONTACT_KEYS.fingerprint(text), CONTACT_KEYS.check_value}
    assert CONTACT_KEYS.fingerprint(text) != OTHER.fingerprint(text)


def test_a_key_file_is_read_with_a_newline_behind_it() -> None:
    read = ContactKeys.parse(line(b"another secret of thirty-two bytes") + "\n")
    assert read.check_value == OTHER.check_value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1:",
        line(b"x" * 31),
        line(b"x" * 32, "0"),
        line(b"x" * 32, "-1"),
        line(b"x" * 32, "01"),
        line(b"x" * 32, "99999"),
        line(b"x" * 32, ""),
        line(b"x" * 32) + "!",
        line(b"x" * 32) + "\n" + line(b"y" * 32, "2"),
        b64encode(b"x" * 32).decode(),
        "1:" + "x" * 45,
        "１:" + b64encode(b"x" * 32).decode(),
    ],
)
def test_an_invalid_key_file_is_refused(text: str) -> None:
    with pytest.raises(BadContactKey):
        ContactKeys.parse(text)


def test_the_secret_is_not_shown() -> None:
    assert repr(CONTACT_KEYS) == "ContactKeys(version=1)"
