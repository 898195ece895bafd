"""Providers that can place a call as it is requested."""

from datetime import timedelta

import pytest

from providers.call_needs import CallNeeds, is_able
from providers.ports.messages import Capabilities

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("capabilities", "needs", "able"),
    [
        (Capabilities(longest_call=HOUR), CallNeeds(recorded=False, longest=HOUR), True),
        (
            Capabilities(longest_call=HOUR),
            CallNeeds(recorded=False, longest=HOUR + timedelta(seconds=1)),
            False,
        ),
        (Capabilities(), CallNeeds(recorded=False, longest=timedelta(seconds=1)), False),
        (Capabilities(longest_call=HOUR), CallNeeds(recorded=True, longest=HOUR), False),
        (
            Capabilities(longest_call=HOUR, recording=True),
            CallNeeds(recorded=True, longest=HOUR),
            True,
        ),
        (
            Capabilities(longest_call=HOUR, recording=True, ring_time=True),
            CallNeeds(recorded=False, longest=HOUR),
            True,
        ),
    ],
)
def test_a_call_needs_recording_and_duration(
    capabilities: Capabilities, needs: CallNeeds, able: bool
) -> None:
    assert is_able(capabilities, needs) is able
