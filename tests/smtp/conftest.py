"""Certificates and keys, made once."""

import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from providers.smtp.account import DkimKey
from providers.smtp.messages import Smtp
from tests.smtp.certificates import Certificates, make_certificates
from tests.smtp.mails import account


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of the tests' servers."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def dkim_key() -> DkimKey:
    """A new key, as `openssl` makes it."""
    made = subprocess.run(["openssl", "genrsa", "2048"], capture_output=True, text=True, check=True)
    return DkimKey(selector="s1", private_key=made.stdout)


@pytest.fixture
async def smtp() -> AsyncIterator[Callable[..., Smtp]]:
    """Builds adapters for a port; they are closed afterwards."""
    async with AsyncExitStack() as stack:

        def build(port: int, *, options: dict[str, Any] | None = None, **change: Any) -> Smtp:
            adapter = Smtp(account(port, **change), **(options or {}))
            stack.push_async_callback(adapter.close)
            return adapter

        yield build
