"""Secrets of the tests, of at least 16 characters as settings require."""

from typing import Final

SIMULATOR_SECRET: Final = "for-tests-only-too"
SIMULATOR_TOKEN: Final = "a-token-for-tests-only"
SERVER_SECRET: Final = "only-for-tests-too"
