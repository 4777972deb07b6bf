"""Ends what a part has started when the supervisor dies hard: parts have `shim.py`, their own children have this.

Reads `+<group>` and `-<group>` lines from the supervisor; at end of file (the supervisor is gone, however it went)
kills the process groups that are left. Run as `python -I -S guard.py`.
"""

import contextlib
import os
import signal
import sys


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        (groups.add if line[0] == "+" else groups.discard)(group)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
