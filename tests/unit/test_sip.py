"""SIP: derived passwords, digests as clients compute them, and presence."""

import base64
import hashlib
import hmac
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from models.enums import PresenceState
from models.rules.voice.presence import NEVER_SEEN, Presence, presence_now
from models.rules.voice.sip import SipSecrets, digest_ha1, turn_credential, username_of

IDS = st.integers(1, 2**52 - 1)
VERSIONS = st.integers(1, 2**31 - 1)
WHO = st.tuples(IDS, IDS, VERSIONS)
SECRETS = st.text(min_size=16, max_size=80)
NOW = datetime(2026, 4, 16, 12, tzinfo=UTC)


def password(secret: str, who: tuple[int, int, int]) -> str:
    tenant, user, version = who
    return SipSecrets(secret).password(tenant_id=tenant, user=user, version=version)


@given(SECRETS, WHO)
def test_a_derived_password_is_stable(secret: str, who: tuple[int, int, int]) -> None:
    assert password(secret, who) == password(secret, who)


@given(SECRETS, WHO, WHO)
def test_no_two_users_or_versions_share_a_password(
    secret: str, one: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    assume(one != other)
    assert password(secret, one) != password(secret, other)


@given(SECRETS, SECRETS, WHO)
def test_another_secret_makes_another_password(
    one: str, other: str, who: tuple[int, int, int]
) -> None:
    assume(one != other)
    assert password(one, who) != password(other, who)


@given(SECRETS, WHO)
def test_a_password_is_what_phones_and_vendors_take(secret: str, who: tuple[int, int, int]) -> None:
    drawn = password(secret, who)
    assert re.fullmatch(r"[A-Za-z0-9]{29}", drawn)
    assert re.search(r"[A-Z]", drawn)
    assert re.search(r"[a-z]", drawn)
    assert re.search(r"[0-9]", drawn)


@given(SECRETS, WHO)
def test_the_key_of_tokens_is_neither_the_secret_nor_that_of_passwords(
    secret: str, who: tuple[int, int, int]
) -> None:
    key = SipSecrets(secret).token_key
    assert key != secret.encode()
    text = "\x1f".join(map(str, who)).encode()
    with_it = base64.b32encode(hmac.new(key, text, hashlib.sha256).digest()[:16]).decode()
    assert password(secret, who).upper().removeprefix("HX1") != with_it.rstrip("=")


def test_the_digest_is_that_of_the_rfc() -> None:
    # RFC 2617, 3.5: the example's response is derived from it.
    ha1 = digest_ha1("Mufasa", "testrealm@host.com", "Circle Of Life")
    ha2 = hashlib.md5(b"GET:/dir/index.html").hexdigest()
    nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
    answer = hashlib.md5(f"{ha1}:{nonce}:00000001:0a4f113b:auth:{ha2}".encode()).hexdigest()
    assert answer == "6629fae49393a05397450978507c4ef1"


@given(st.tuples(IDS, IDS), st.tuples(IDS, IDS))
def test_a_username_contains_tenant_and_merchant(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    assert (username_of(*one) == username_of(*other)) is (one == other)
    assert re.fullmatch(r"t[0-9a-f]+m[0-9a-f]+", username_of(*one))
    assert len(username_of(*one)) <= 32, "vendors take no more"


def test_a_turn_credential_is_signed_over_its_expiry_and_user() -> None:
    word = turn_credential("north", "t1m7", datetime.fromtimestamp(1_776_345_632, UTC))
    assert word.username == "1776345632:t1m7"
    signed = hmac.new(b"north", b"1776345632:t1m7", hashlib.sha1).digest()
    assert base64.b64decode(word.credential) == signed
    assert word.credential not in repr(word)


def posted(state: PresenceState, *, ago: int = 60, left: int = 60) -> Presence:
    return Presence(
        state=state,
        user_agent="app",
        contact="sip:posted",
        expires_at=NOW + timedelta(seconds=left),
        updated_at=NOW - timedelta(seconds=ago),
    )


def registered(*, ago: int = 30, left: int = 60) -> Presence:
    word = posted(PresenceState.ONLINE, ago=ago, left=left)
    return replace(word, user_agent="phone", contact="sip:registered")


@pytest.mark.parametrize("state", PresenceState)
def test_what_was_posted_holds_until_the_moment_it_expires(state: PresenceState) -> None:
    word = posted(state, left=1)
    assert presence_now(word, None, NOW) == word
    lapsed = presence_now(word, None, NOW + timedelta(seconds=1))
    assert lapsed == replace(word, state=PresenceState.OFFLINE, contact=None)


def test_a_user_without_posts_and_registration_is_offline() -> None:
    assert presence_now(None, None, NOW) == NEVER_SEEN
    assert presence_now(None, registered(left=0), NOW) == NEVER_SEEN


@pytest.mark.parametrize(
    ("state", "ago", "wins"),
    [
        (PresenceState.BUSY, 60, "posted"),
        (PresenceState.BUSY, 10, "posted"),
        (PresenceState.AWAY, 60, "posted"),
        (PresenceState.AWAY, 10, "posted"),
        (PresenceState.OFFLINE, 60, "registered"),
        (PresenceState.OFFLINE, 10, "posted"),
        (PresenceState.ONLINE, 60, "registered"),
        (PresenceState.ONLINE, 10, "posted"),
    ],
)
def test_a_chosen_state_outlasts_a_registration_and_others_yield_to_a_later_one(
    state: PresenceState, ago: int, wins: str
) -> None:
    word, phone = posted(state, ago=ago), registered(ago=30)
    assert presence_now(word, phone, NOW) == {"posted": word, "registered": phone}[wins]


@pytest.mark.parametrize("state", PresenceState)
def test_a_registered_user_is_online_after_the_posted_state_expires(state: PresenceState) -> None:
    phone = registered(ago=90)
    assert presence_now(posted(state, left=0), phone, NOW) == phone
    assert presence_now(None, phone, NOW) == phone
