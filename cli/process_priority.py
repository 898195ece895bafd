"""Lowers the scheduling priority of this process."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_AUTOGROUP: Final = Path("/proc/self/autogroup")


def lower_priority(nice: int) -> None:
    """Lower this process's priority by so many steps of nice(1); anybody may do so.

    Where Linux shares the processors by session first (autogroup, sched(7)), the priority within a
    session tells nothing to others: the session's own is lowered as well, if this process leads it.
    """
    if not nice:
        return
    lowered = os.nice(nice)
    if os.getsid(0) != os.getpid():
        return
    with suppress(OSError):  # not Linux, switched off, or asked twice within a moment
        _AUTOGROUP.write_text(str(lowered))
