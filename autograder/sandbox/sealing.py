"""How a process shuts itself in, before anything of the student's runs in it. This runs inside the sandbox.

It needs the standard library alone. The calls are the kernel's own, as its manual pages tell them: unshare(2),
setns(2), mount(2), capset(2), prctl(2), landlock(7), seccomp(2). None of them can be taken back.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import os
import stat
import struct
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CLONE_NEWNS, CLONE_NEWPID = 0x20000, 0x20000000
MS_NOSUID, MS_NODEV = 2, 4
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
SECCOMP_MODE_FILTER = 2
CAPABILITY_VERSION = 0x20080522
SIGKILL = 9
FILES = 1024
"""How many files a scratch folder may hold, however small."""

LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
LANDLOCK_VERSION, LANDLOCK_PATH_BENEATH = 1, 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE = 1, 2, 4, 8, 1 << 14
FOR_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
"""What a version of Landlock can forbid of files; from the fifth on, ioctl of devices too."""
NETWORK = 3
"""bind and connect of TCP, from the fourth version on."""
SCOPES = 3
"""Abstract unix sockets of others, and signals to others, from the sixth version on."""


class CannotSeal(OSError):
    """The kernel refused; nothing of the student's may run."""


@contextmanager
def processes_apart() -> Iterator[None]:
    """What is forked meanwhile sees no process but those that it forks. Raises CannotSeal."""
    here = os.pidfd_open(os.getpid())
    try:
        _must(_libc().unshare(CLONE_NEWPID), "unshare")
        try:
            yield
        finally:  # even if nothing could be forked: else nobody could ever be forked into another one
            _must(_libc().setns(here, CLONE_NEWPID), "setns")
    finally:
        os.close(here)


def own_scratch(folder: str, size: int) -> None:
    """Lay an empty file system of ``size`` bytes in memory over a folder, for nobody else. Raises CannotSeal."""
    _must(_libc().unshare(CLONE_NEWNS), "unshare")
    options = f"size={size},nr_inodes={FILES},mode=0700".encode()
    _must(_libc().mount(b"tmpfs", folder.encode(), b"tmpfs", MS_NOSUID | MS_NODEV, options), "mount")


def become(user: int) -> None:
    """Be another user, with that user's group alone."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def give_up_privileges() -> None:
    """No capability is left, and no program can give one back. Raises CannotSeal."""
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    header, nothing = struct.pack("Ii", CAPABILITY_VERSION, 0), bytes(24)
    _must(_libc().capset(header, nothing), "capset")


def die_with_parent(parent: int) -> None:
    """Be killed when the process that forked this one ends. Raises CannotSeal."""
    _prctl(PR_SET_PDEATHSIG, SIGKILL)
    if os.getppid() not in (parent, 0):  # 0: it is in another namespace
        os._exit(1)


def limit(limits: Mapping[str, int]) -> None:
    """Limit what this process uses; a hard limit cannot be raised again."""
    import resource

    for name, value in limits.items():
        which = getattr(resource, name)
        hard = resource.getrlimit(which)[1]
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (allowed, allowed))


def landlock_version() -> int:
    """The version of Landlock that this kernel has; 0 without."""
    return max(0, int(_libc().syscall(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), LANDLOCK_VERSION)))


def landlock(readable: Sequence[str], writable: Sequence[str], devices: Sequence[str] = ()) -> None:
    """Of all files only those in and below ``readable`` can be read, and only those below ``writable`` written too.

    ``devices`` are files that can be read and written. No program can be started, no TCP used, no signal sent outside.

    Raises:
        CannotSeal: this kernel has no Landlock.
    """
    version = landlock_version()
    rights = FILE_RIGHTS.get(version, (1 << 16) - 1)
    attributes = [rights, *([NETWORK] if version >= 4 else []), *([SCOPES] if version >= 6 else [])]
    packed = struct.pack(f"{len(attributes)}Q", *attributes)
    rules = _must(_libc().syscall(LANDLOCK_CREATE_RULESET, packed, ctypes.c_size_t(len(packed)), 0), "Landlock")
    read = READ_FILE | READ_DIR
    wanted = [(path, read) for path in readable]
    wanted += [(path, rights & ~EXECUTE) for path in writable]
    wanted += [(path, READ_FILE | WRITE_FILE | TRUNCATE) for path in devices]
    for path, allowed in wanted:
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
            possible = rights if stat.S_ISDIR(os.fstat(descriptor).st_mode) else rights & FOR_FILES
            rule = struct.pack("=Qi", allowed & possible, descriptor)
            added = _libc().syscall(LANDLOCK_ADD_RULE, rules, LANDLOCK_PATH_BENEATH, rule, 0)
            os.close(descriptor)
            _must(added, "Landlock")
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _must(_libc().syscall(LANDLOCK_RESTRICT_SELF, rules, 0), "Landlock")
    os.close(rules)


def filter_calls(program: str) -> None:
    """Let the kernel answer system calls by a program, as base64. Raises CannotSeal."""
    code = base64.b64decode(program)
    kept = ctypes.create_string_buffer(code, len(code))
    sock_fprog = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(kept))
    _prctl(PR_SET_DUMPABLE, 0)
    _prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, sock_fprog)


@cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, *arguments: Any) -> None:
    padded = [*arguments, 0, 0, 0, 0][:4]
    words = [word if isinstance(word, bytes) else ctypes.c_ulong(word) for word in padded]
    _must(_libc().prctl(option, *words), "prctl")


def _must(result: Any, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise CannotSeal(number, f"{what}: {os.strerror(number)}")
    return int(result)
