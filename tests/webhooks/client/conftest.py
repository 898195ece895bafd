"""One certificate authority for all tests of the client."""

import pytest

from tests.webhooks.client.receiver import Authority


@pytest.fixture(scope="session")
def authority() -> Authority:
    """The authority that the clients trust."""
    return Authority()
