"""A migration waits for a lock in short attempts, so that other queries proceed."""

import threading
import time

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from cli.database import upgrade
from tests.stack import async_url


def test_a_migration_waits_for_a_table_in_use_without_blocking_others_for_long(
    own_url: str,
) -> None:
    with psycopg.connect(own_url) as reader:
        reader.execute("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        with pytest.raises(OperationalError, match="lock timeout"):
            upgrade(async_url(own_url), pauses=(0.1,))
        assert 5 < time.monotonic() - began < 30


def test_it_goes_on_once_the_table_is_free(own_url: str) -> None:
    with psycopg.connect(own_url) as reader:
        reader.execute("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
        free = threading.Timer(4, reader.rollback)
        free.start()
        upgrade(async_url(own_url), pauses=(0.1, 0.1, 0.1, 0.1))
        free.join()


def test_two_that_migrate_wait_for_each_other_as_long_as_it_takes(own_url: str) -> None:
    with psycopg.connect(own_url) as other:
        # the lock that another migration holds
        other.execute("SELECT pg_advisory_xact_lock(1212504129)")
        free = threading.Timer(5, other.rollback)
        free.start()
        upgrade(async_url(own_url), pauses=())
        free.join()
