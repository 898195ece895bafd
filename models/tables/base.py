"""What every table shares: names for constraints, column kinds, guards for enums."""

from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    MetaData,
    String,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


class Table(SQLModel):
    """Base of all tables. SQLModel validates nothing in tables: CHECK constraints do."""

    metadata = metadata


def one_of(column: str, words: type[StrEnum], *, optional: bool = False) -> CheckConstraint:
    """Guard a text column with the words of an enum (native enum types migrate badly)."""
    listed = ", ".join(f"'{word.value}'" for word in words)
    null = f"{column} IS NULL OR " if optional else ""
    return CheckConstraint(f"{null}{column} IN ({listed})", name=column)


def not_negative(*columns: str) -> CheckConstraint:
    """Guard counters that must never fall below zero."""
    return CheckConstraint(" AND ".join(f"{c} >= 0" for c in columns), name="not_negative")


def tenant_key() -> Any:
    """First column of every primary key, so that tables can be distributed by tenant."""
    return Field(primary_key=True, sa_type=BigInteger)


def identity() -> Any:
    """A number given by the database; composite keys get none unasked."""
    return Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))


NEW_PUBLIC_ID: Final = (
    "GREATEST(1, CAST(CAST('x' || right(replace(CAST(gen_random_uuid() AS text), '-', ''), 13)"
    " AS bit(52)) AS bigint))"
)
"""SQL of a random id of 52 bits, never 0: the last 52 bits of a version 4 UUID are all random."""


def public_id_column() -> Any:
    """A random id that stands for the row wherever an id is shown outside.

    The database gives it, whatever statement inserts the row. 52 bits are exact in a JSON number.
    """
    return Field(
        default=None,
        sa_column=Column(BigInteger, nullable=False, server_default=text(NEW_PUBLIC_ID)),
    )


def unique_public_id() -> UniqueConstraint:
    """Guard the public ids of a tenant.

    A clash is told by `models.database.faults.drew_known_id`: another try draws another id.
    """
    return UniqueConstraint("tenant_id", "public_id")


def contact_key_column(**kwargs: Any) -> Any:
    """The keyed hash of a contact (`models.rules.consent.contact_keys`), compared and indexed."""
    return Field(sa_type=String(80), **kwargs)


def timestamp(**kwargs: Any) -> Any:
    """A moment, always with its time zone."""
    return Field(sa_type=DateTime(timezone=True), **kwargs)


def optional_timestamp(**kwargs: Any) -> Any:
    """A moment that may not have come yet."""
    return Field(default=None, sa_type=DateTime(timezone=True), nullable=True, **kwargs)


def row_id(number: int | None) -> int:
    """The id of a row that is in the database; before that it has none."""
    assert number is not None
    return number
