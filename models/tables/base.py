"""Common parts of all tables: constraint names, column types, enum checks."""

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
    """Base of all tables. SQLModel does not validate table classes; CHECK constraints do."""

    metadata = metadata


def one_of(column: str, words: type[StrEnum], *, optional: bool = False) -> CheckConstraint:
    """Return a check that a text column holds a value of an enum.

    Native enum types are hard to migrate.
    """
    listed = ", ".join(f"'{word.value}'" for word in words)
    null = f"{column} IS NULL OR " if optional else ""
    return CheckConstraint(f"{null}{column} IN ({listed})", name=column)


def not_negative(*columns: str) -> CheckConstraint:
    """Return a check that counters are not negative."""
    return CheckConstraint(" AND ".join(f"{c} >= 0" for c in columns), name="not_negative")


def tenant_key() -> Any:
    """First column of every primary key, so that tables can be distributed by tenant."""
    return Field(primary_key=True, sa_type=BigInteger)


def identity() -> Any:
    """Identity column; SQLModel adds none to composite keys by itself."""
    return Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))


NEW_PUBLIC_ID: Final = (
    "GREATEST(1, CAST(CAST('x' || right(replace(CAST(gen_random_uuid() AS text), '-', ''), 13)"
    " AS bit(52)) AS bigint))"
)
"""SQL of a random id of 52 bits, never 0: the last 52 bits of a version 4 UUID are all random."""


def public_id_column() -> Any:
    """A random id, used wherever the row's id is shown outside.

    The database generates it for every inserted row. 52 bits are exact in a JSON number.
    """
    return Field(
        default=None,
        sa_column=Column(BigInteger, nullable=False, server_default=text(NEW_PUBLIC_ID)),
    )


def unique_public_id() -> UniqueConstraint:
    """Return the unique constraint of a tenant's public ids.

    `models.database.faults.public_id_taken` recognizes a violation; a retry draws another id.
    """
    return UniqueConstraint("tenant_id", "public_id")


def contact_key_column(**kwargs: Any) -> Any:
    """The keyed hash of a contact (`models.rules.consent.contact_keys`), compared and indexed."""
    return Field(sa_type=String(80), **kwargs)


def timestamp(**kwargs: Any) -> Any:
    """A timestamp with time zone."""
    return Field(sa_type=DateTime(timezone=True), **kwargs)


def optional_timestamp(**kwargs: Any) -> Any:
    """A nullable timestamp with time zone."""
    return Field(default=None, sa_type=DateTime(timezone=True), nullable=True, **kwargs)


def row_id(number: int | None) -> int:
    """Return the id of a stored row."""
    assert number is not None
    return number
