"""The API's fixtures, and batches that are accepted without Temporal."""

import pytest

from models.session import Database
from tests.api.conftest import (  # noqa: F401 - fixtures
    app,
    batch_starter,
    client,
    clock,
    gym,
    harness,
    integrator,
    recording_provider,
    settings,
    starter,
    stranger,
)
from tests.api.doubles import Clock
from tests.batches.accepting.harness import Batches


@pytest.fixture
def batches(database: Database, clock: Clock) -> Batches:  # noqa: F811
    """Stores batches, and accepts their lines by the clock of the API's services."""
    return Batches(database, clock)
