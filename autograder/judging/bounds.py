"""What the grader itself may spend on what a student's code has asked it to do.

Lent functions run outside of the box, with arguments that are the student's. So they have the limits that a call in the
box has: an outer product of two small arrays may need more memory than the machine has, and a number of steps may be
any number.
"""

from __future__ import annotations

import ctypes
import os
import resource
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class TookTooLong(Exception):
    """What was asked for did not come to an end in time."""


class Bounds:
    """Limits for work in this process, on whatever thread it is done.

    Args:
        seconds: wall time of each piece of work.
        memory: bytes of address space that all of them together may add to what is in use now.
    """

    def __init__(self, seconds: float, memory: int) -> None:
        self._seconds = seconds
        self._most = _address_space() + memory

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Do something within the limits. Raises MemoryError, and TookTooLong between two lines of Python."""
        with _in_time(self._seconds):
            soft, hard = resource.getrlimit(resource.RLIMIT_AS)
            most = self._most if soft == resource.RLIM_INFINITY else min(self._most, soft)
            resource.setrlimit(resource.RLIMIT_AS, (most, hard))
            try:
                yield
            finally:
                resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def _in_time(seconds: float) -> Iterator[None]:
    """Raise TookTooLong in this thread when the time is up. Signals would reach the main thread alone."""
    thread, lock, done = threading.get_ident(), threading.Lock(), False

    def interrupt() -> None:
        with lock:
            if not done:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(TookTooLong))

    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    except TookTooLong:
        raise TookTooLong(f"this did not come to an end within {seconds:g} s") from None
    finally:
        with lock:
            done = True
        timer.cancel()
