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
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager


TICK = 0.1
"""Seconds between two looks whether the time is up."""


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


class _Watchdog:
    """Looks now and then whether a thread's time is up: a timer for each of thousands of calls would take longer."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self._due: dict[int, float] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._watch, daemon=True).start()

    @contextmanager
    def over(self, seconds: float) -> Iterator[None]:
        """Raise TookTooLong in this thread when the time is up. Signals would reach the main thread alone."""
        thread = threading.get_ident()
        with self._lock:
            self._due[thread] = time.monotonic() + seconds
        try:
            yield
        except TookTooLong:
            raise TookTooLong(f"this did not come to an end within {seconds:g} s") from None
        finally:
            with self._lock:
                if self._due.pop(thread, None) is None:  # it came to an end just when its time was up
                    _raise_in(thread, None)

    def _watch(self) -> None:
        while True:
            time.sleep(TICK)
            with self._lock:
                for thread in [thread for thread, end in self._due.items() if time.monotonic() > end]:
                    del self._due[thread]
                    _raise_in(thread, TookTooLong)


def _raise_in(thread: int, error: type[Exception] | None) -> None:
    """Have an exception raised in a thread; None takes back one that has not been raised yet."""
    raised = ctypes.py_object(error) if error else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)


_watchdogs: list[_Watchdog] = []


def _in_time(seconds: float) -> AbstractContextManager[None]:
    if not _watchdogs or _watchdogs[-1].process != os.getpid():  # threads do not survive a fork
        _watchdogs[:] = [_Watchdog()]
    return _watchdogs[-1].over(seconds)
