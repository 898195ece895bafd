"""What a key may give to a key that it creates."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from models.enums import KeyScope
from models.rules.tenants.key_grants import in_order, is_valid_longer, scopes_lacking

SCOPES = st.sets(st.sampled_from(KeyScope))
NOW = datetime(2026, 4, 16, tzinfo=UTC)


@given(SCOPES, SCOPES)
def test_what_is_lacking_is_what_is_wanted_and_not_there(
    own: set[KeyScope], wanted: set[KeyScope]
) -> None:
    assert set(scopes_lacking(own, wanted)) == wanted - own
    assert list(scopes_lacking(own, wanted)) == [s for s in KeyScope if s in wanted - own]


@given(st.lists(st.sampled_from(KeyScope)))
def test_scopes_are_stored_once_and_in_one_order(scopes: list[KeyScope]) -> None:
    assert in_order(scopes) == in_order(sorted(set(scopes)))
    assert in_order(list(KeyScope)) == ["send", "read", "billing", "admin"]


def test_time_is_given_only_up_to_the_own_expiry() -> None:
    later = NOW + timedelta(microseconds=1)
    assert not is_valid_longer(None, None)
    assert not is_valid_longer(NOW, None)
    assert not is_valid_longer(NOW, NOW)
    assert not is_valid_longer(NOW, later)
    assert is_valid_longer(later, NOW)
    assert is_valid_longer(None, NOW)
