"""Run a command; whatever it leaves behind becomes a child of this process, which then says so and ends it."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
SECONDS = 240


def left_behind():
    """The processes that are children of this one now."""
    return list(map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()))


def main():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        code = subprocess.run(sys.argv[1:], check=False, timeout=SECONDS).returncode
    except subprocess.TimeoutExpired:
        code = f"not done within {SECONDS} s"
    while left := left_behind():
        for process in left:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                command = Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                sys.stdout.write(f"LEFT BEHIND: {command}\n")
                os.kill(process, 9)
            os.waitpid(process, 0)
    return code


if __name__ == "__main__":
    sys.exit(main())
