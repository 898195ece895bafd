"""Database URLs with one or several hosts."""

from typing import Any

import pytest
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import make_url

from models.database.url import sqlalchemy_url


def told(url: str) -> dict[str, object]:
    """Return the connection parameters of the driver."""
    dialect: Any = PGDialect_psycopg
    _, options = dialect().create_connect_args(make_url(sqlalchemy_url(url)))
    return dict(options)


ONE = {"host": "h", "port": 5432, "user": "u", "password": "p", "dbname": "d"}
LOGIN = {"user": "u", "password": "p", "dbname": "d"}


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_one_host_stays_as_it_is(scheme: str) -> None:
    assert told(f"{scheme}://u:p@h:5432/d") == ONE
    assert told(f"{scheme}://u:p@h/d?sslmode=require") == {
        **LOGIN,
        "host": "h",
        "sslmode": "require",
    }


@pytest.mark.parametrize(
    ("hosts", "host", "port"),
    [
        ("a:1,b:2", "a,b", "1,2"),
        ("a,b:2,c", "a,b,c", "5432,2,5432"),
        ("[::1]:1,[fe80::2]", "::1,fe80::2", "1,5432"),
        ("10.0.0.1:6432,db-2.example:6432", "10.0.0.1,db-2.example", "6432,6432"),
    ],
)
def test_of_several_the_one_that_takes_writes_is_wanted(hosts: str, host: str, port: str) -> None:
    expected = {**LOGIN, "host": host, "port": port, "target_session_attrs": "read-write"}
    assert told(f"postgresql://u:p@{hosts}/d") == expected
    assert told(f"postgresql://u:p@{hosts}/d?target_session_attrs=any") == {
        **expected,
        "target_session_attrs": "any",
    }


def test_a_password_keeps_its_signs() -> None:
    assert told("postgresql://u:a%40b%2C%3A%2F@a,b/d")["password"] == "a@b,:/"
    assert told("postgresql://u:a%2Cb@h/d")["password"] == "a,b"
    assert told("postgresql://u:p@a,b/d?application_name=x%20y")["application_name"] == "x y"


def test_an_invalid_database_url_is_left_to_the_driver() -> None:
    assert sqlalchemy_url("sqlite:///x") == "sqlite:///x"
    assert sqlalchemy_url("nonsense") == "nonsense"
