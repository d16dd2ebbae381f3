"""The system call filter of a box, as the program that the kernel runs."""

from __future__ import annotations

import base64
import errno
import tempfile
from functools import cache

from autograder.errors import SandboxUnavailable
from autograder.sandbox.policy import FORBIDDEN_CALLS, FORBIDDEN_IN_SIGHT, FORBIDDEN_PRCTL


@cache
def program(*, alone: bool) -> str:
    """The filter, in base64, for a box that is ``alone`` or has others in sight.

    Raises:
        SandboxUnavailable: libseccomp, or the package that speaks to it, is missing.
    """
    try:
        import pyseccomp as seccomp
    except (ImportError, RuntimeError) as error:
        raise SandboxUnavailable(
            f"The system call filter cannot be made ({error}).",
            "Install it: sudo apt-get install libseccomp2 && pip install pyseccomp",
        ) from error
    thread = 0x00010000  # CLONE_THREAD
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    rules.add_rule(seccomp.ERRNO(errno.EPERM), "clone", seccomp.Arg(0, seccomp.MASKED_EQ, thread, 0))
    for option in FORBIDDEN_PRCTL:
        rules.add_rule(seccomp.ERRNO(errno.EPERM), "prctl", seccomp.Arg(0, seccomp.EQ, option))
    rules.add_rule(seccomp.ERRNO(errno.EPERM), "prlimit64", seccomp.Arg(0, seccomp.NE, 0))  # of another process
    for name in FORBIDDEN_CALLS if alone else FORBIDDEN_CALLS + FORBIDDEN_IN_SIGHT:
        # clone3 must look absent: the C library then falls back to clone, whose flags a filter can read
        answer = errno.ENOSYS if name == "clone3" else errno.EPERM
        if seccomp.resolve_syscall(seccomp.Arch.NATIVE, name) >= 0:  # else this architecture does not have it
            rules.add_rule(seccomp.ERRNO(answer), name)
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return base64.b64encode(file.read()).decode()
