"""bubblewrap's command line for a sealed box, and the system call filter it loads."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from functools import cache
from typing import TYPE_CHECKING

from autograder.errors import SandboxUnavailable
from autograder.sandbox import view
from autograder.sandbox.policy import FORBIDDEN_CALLS, Policy

if TYPE_CHECKING:
    from collections.abc import Iterator

INSTALL = "Install it: sudo apt-get install bubblewrap"
ALLOW_NAMESPACES = (
    "User namespaces may be switched off here. Try: sudo sysctl -w kernel.unprivileged_userns_clone=1 "
    "kernel.apparmor_restrict_unprivileged_userns=0"
)
ENVIRONMENT = {
    "HOME": "/tmp",  # noqa: S108 - the box's own, empty tmpfs
    "LD_LIBRARY_PATH": f"{view.PYTHON}/lib",
    "MPLBACKEND": "agg",
    "MPLCONFIGDIR": "/tmp",  # noqa: S108
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
"""All of the environment that the student's code has."""


def command(policy: Policy, rules: int) -> list[str]:
    """The command line up to the file to run, given a descriptor with the filter.

    Raises:
        SandboxUnavailable: bubblewrap is not installed.
    """
    executable = shutil.which("bwrap")
    if executable is None:
        raise SandboxUnavailable(
            "bubblewrap is not installed, and without it hostile code cannot be isolated.", INSTALL
        )
    arguments = [executable, "--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--as-pid-1"]
    arguments += ["--uid", "65534", "--gid", "65534", "--hostname", "box", "--cap-drop", "ALL"]
    shown, python = view.in_box()
    arguments += shown
    for device in ("/dev/null", "/dev/urandom"):
        arguments += ["--dev-bind", device, device]
    arguments += ["--size", str(policy.disk), "--tmpfs", "/tmp", "--remount-ro", "/", "--chdir", "/tmp"]  # noqa: S108
    arguments += ["--clearenv"]
    for name, value in ENVIRONMENT.items():
        arguments += ["--setenv", name, value]
    return [*arguments, "--seccomp", str(rules), "--", python, "-I", "-S"]


def refusal(said: str) -> SandboxUnavailable | None:
    """What bubblewrap's last words mean for the instructor; None if they are not bubblewrap's."""
    if not said.startswith("bwrap:"):
        return None
    return SandboxUnavailable(
        f"bubblewrap cannot make a sandbox on this machine ({said.splitlines()[-1]}).", ALLOW_NAMESPACES
    )


@contextlib.contextmanager
def system_call_filter() -> Iterator[int]:
    """A descriptor from which bubblewrap reads the filter once."""
    descriptor = os.memfd_create("filter")
    try:
        os.write(descriptor, _program())
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


@cache
def _program() -> bytes:
    """The filter, as the program that the kernel runs."""
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
    for name in FORBIDDEN_CALLS:
        # clone3 must look absent: the C library then falls back to clone, whose flags a filter can read
        answer = errno.ENOSYS if name == "clone3" else errno.EPERM
        with contextlib.suppress(OSError, ValueError):  # a call that this architecture does not have
            rules.add_rule(seccomp.ERRNO(answer), name)
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()
