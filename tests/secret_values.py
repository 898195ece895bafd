"""The secrets that tests share. None is shorter than 16 characters, or settings refuse it."""

from typing import Final

SIMULATOR_SECRET: Final = "for-tests-only-too"
SIMULATOR_TOKEN: Final = "a-token-for-tests-only"
SERVER_SECRET: Final = "only-for-tests-too"
