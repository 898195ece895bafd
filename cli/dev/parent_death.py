"""Executes a program that ends when its parent ends.

Run as a script, by path: it takes the parent's pid, the signal to send, a user and a group (-1
keeps the current ones), then the command. It is a script and not `preexec_fn`, because code between
fork and exec of a process with threads may deadlock, and Python warns about it.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def become(tie: list[str], argv: list[str]) -> None:
    """Switch to the given user, request the parent-death signal and exec the command."""
    parent, last_signal, uid, gid = (int(word) for word in tie)
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # After the change of user: the kernel clears the signal when credentials change.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, last_signal)
    if os.getppid() != parent:
        sys.exit("the process that asked for this program is gone")
    os.execvp(argv[0], argv)  # noqa: S606  # the command is ours


if __name__ == "__main__":
    become(sys.argv[1:5], sys.argv[5:])
