"""bubblewrap's command line: a view of this machine in which the fork server runs."""

from __future__ import annotations

import shutil

from autograder.errors import NamespacesForbidden, SandboxUnavailable
from autograder.sandbox import view

INSTALL = "Install it: sudo apt-get install bubblewrap"
ALLOW_NAMESPACES = (
    "User namespaces may be switched off here. Try: sudo sysctl -w kernel.unprivileged_userns_clone=1 "
    "kernel.apparmor_restrict_unprivileged_userns=0"
)
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
    arguments += ["--size", "4096", "--tmpfs", "/tmp", "--remount-ro", "/", "--chdir", "/tmp"]  # noqa: S108
    arguments += ["--clearenv"]
    for name, value in ENVIRONMENT.items():
        arguments += ["--setenv", name, value]
    return [*arguments, "--", python, "-I", "-S", file]


def forbidden(said: str) -> NamespacesForbidden:
    """What it means for the instructor that namespaces could not be made."""
    return NamespacesForbidden(f"bubblewrap cannot make a sandbox on this machine ({said}).", ALLOW_NAMESPACES)
