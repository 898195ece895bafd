"""A database that a test may break."""

from collections.abc import AsyncIterator

import pytest

from cli.dev.postgres import EmbeddedPostgres
from tests.database.site import Site, open_site
from tests.factories import unique
from tests.stack import make_database


@pytest.fixture
def own_url(postgres: EmbeddedPostgres) -> str:
    """A migrated database that no other test uses."""
    return make_database(postgres, unique("own").replace("-", "_"))


@pytest.fixture
async def site(own_url: str) -> AsyncIterator[Site]:
    """The API on it."""
    async with open_site(own_url) as site:
        yield site
