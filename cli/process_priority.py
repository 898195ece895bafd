"""Lowers the scheduling priority of this process."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_AUTOGROUP: Final = Path("/proc/self/autogroup")


def lower_priority(nice: int) -> None:
    """Increase this process's niceness by `nice`, as nice(1); needs no privileges.

    Where Linux schedules by session first (autogroup, sched(7)), niceness only counts within the
    session. If this process leads its session, the session's niceness is set as well.
    """
    if not nice:
        return
    lowered = os.nice(nice)
    if os.getsid(0) != os.getpid():
        return
    with suppress(OSError):  # not Linux, disabled, or rate limited by the kernel
        _AUTOGROUP.write_text(str(lowered))
