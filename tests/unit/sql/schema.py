"""The tables and enums of the migrated schema, to check SQL text against."""

from typing import Final

from models.tables.all_tables import metadata
from tests.unit.sql.literals import Checker, columns_of, enums_of
from tests.unit.sql.resolve import Resolver

ELSEWHERE: Final = frozenset({"alembic_version", "invoice_line", "invoice", "known", "compared"})
"""Tables without a class: Alembic's, and temporary ones for a vendor's invoice."""

RESOLVER: Final = Resolver(columns_of(metadata), ELSEWHERE)
ENUMS: Final = enums_of(metadata)
CHECKER: Final = Checker(RESOLVER, ENUMS)
