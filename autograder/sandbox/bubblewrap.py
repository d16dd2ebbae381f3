"""bubblewrap's command line: a view of this machine in which the fork server runs."""

from __future__ import annotations

import re
import shutil

from autograder.errors import NamespacesForbidden, SandboxUnavailable
from autograder.sandbox import view

INSTALL = "Install it: sudo apt-get install bubblewrap"
ALLOW_NAMESPACES = (
    "User namespaces may be switched off here. Try: sudo sysctl -w kernel.unprivileged_userns_clone=1 "
    "kernel.apparmor_restrict_unprivileged_userns=0"
)
UPDATE = "It has to be version 0.5 or newer: bwrap --version"
NO_NAMESPACES = re.compile(
    r"bwrap: .*(new namespace|[ug]id map|(namespace|user ns|loopback|slave|mount|pivot_root).*"
    r"(Operation not permitted|Permission denied))"
)
"""What it says where the kernel, or what guards it, refuses namespaces or what can be done in them."""
ENVIRONMENT = {
    "HOME": "/tmp",  # noqa: S108 - the box's own, empty tmpfs
    "LD_LIBRARY_PATH": f"{view.PYTHON}/lib",
    "MPLCONFIGDIR": "/tmp",  # noqa: S108
    **view.ENVIRONMENT,
}
"""All of the environment that the student's code has."""


def command(file: str, kit: tuple[str, ...] | None = None) -> list[str]:
    """The command line that runs a file of the view, with these files of the kit in it, up to its arguments.

    What runs has one capability, to give each process it forks namespaces and a file system of its own.

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
    arguments += ["--cap-add", "CAP_SYS_ADMIN"]
    shown, python = view.in_box(kit)
    arguments += shown
    for device in view.DEVICES:
        arguments += ["--dev-bind", device, device]
    arguments += ["--tmpfs", "/tmp", "--remount-ro", "/", "--chdir", "/tmp"]  # noqa: S108
    arguments += ["--clearenv"]
    for name, value in ENVIRONMENT.items():
        arguments += ["--setenv", name, value]
    return [*arguments, "--", python, "-I", "-S", file]


def refusal(said: str) -> SandboxUnavailable:
    """What it means for the instructor that there is no sandbox; ``said`` are its last words, or those of the seals."""
    told = f"bubblewrap cannot make a sandbox on this machine ({said})."
    if NO_NAMESPACES.match(said) or not said.startswith("bwrap:"):
        return NamespacesForbidden(told, ALLOW_NAMESPACES)
    return SandboxUnavailable(told, UPDATE)
