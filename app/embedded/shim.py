"""Becomes another program that dies with its parent: `python -I -S shim.py <parent pid> program arguments…`.

PR_SET_PDEATHSIG survives exec but not fork, so it is set here, between the two, where a thread-free process makes it
safe. It is tied to the parent's *thread*, which is why parts are only started from the supervisor's main thread. The
parent may die before the call: then the parent id has changed already, and there is nothing to become.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the supervisor is gone")
    # The supervisor blocks the signals that it waits for; its parts must not inherit that.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.execv(program[0], program)  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main()
