"""Sets when CPython looks for garbage in reference cycles."""

import gc
from typing import Final

_ALLOCATIONS_PER_COLLECTION: Final = 50_000
"""CPython's default of a few hundred costs the API and a worker a tenth of their time (`make
bench`), and a start a seventh: almost all their objects are freed by reference count.
"""


def collect_seldom() -> None:
    """Run the garbage collector rarely."""
    gc.set_threshold(_ALLOCATIONS_PER_COLLECTION, 20, 50)


def exempt_imported() -> None:
    """Collect once, and exempt all that is left from later collections: imported modules."""
    gc.collect()
    gc.freeze()
