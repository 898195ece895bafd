"""All planted faults."""

from typing import Final

from tests.mutants.accepting import ACCEPTING
from tests.mutants.delivering import DELIVERING
from tests.mutants.paying import PAYING
from tests.mutants.seeing import SEEING
from tests.mutants.settling import SETTLING

FAULTS: Final = (*ACCEPTING, *DELIVERING, *SETTLING, *PAYING, *SEEING)
