"""Run a command; whatever it leaves behind becomes a child of this process, which then says so and ends it."""

import ctypes
import os
import select
import subprocess
import sys
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
SECONDS = 240
GRACE = 5


def left_behind():
    """The processes that are children of this one now."""
    return list(map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()))


def has_ended(process):
    """Whether a process comes to its end by itself: the server of a pool of processes ends a moment after the pool."""
    descriptor = os.pidfd_open(process)
    try:
        return bool(select.select([descriptor], [], [], GRACE)[0])
    finally:
        os.close(descriptor)


def main():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        code = subprocess.run(sys.argv[1:], check=False, timeout=SECONDS).returncode
    except subprocess.TimeoutExpired:
        code = f"not done within {SECONDS} s"
    while left := left_behind():
        for process in left:
            if not has_ended(process):
                sys.stderr.write(f"LEFT BEHIND: {Path(f'/proc/{process}/cmdline').read_text()!r}\n")
                os.kill(process, 9)
            os.waitpid(process, 0)
    return code


if __name__ == "__main__":
    sys.exit(main())
