"""The ways to shut code in, and what each needs of the machine.

    NAMESPACES   the strongest: bubblewrap shows the interpreter and the packages and nothing else; each box has
                 processes and a disk of its own, and no network; beside that Landlock, where the kernel has it
    LANDLOCK     where user namespaces are forbidden, as in many containers: the kernel's Landlock in place of a view,
                 and another user when the grader is root
    OPEN         nothing is sealed: for code one trusts

The first two refuse the same system calls and set the same limits.
"""

from __future__ import annotations

import os
import sys
import tempfile
from enum import Enum
from pathlib import Path
from typing import Any

from autograder.sandbox import bubblewrap, filters, view


class Way(Enum):
    """How a box is shut."""

    NAMESPACES = "namespaces"
    LANDLOCK = "Landlock"
    OPEN = "open"

    def command(self, kit: tuple[str, ...] | None = None) -> list[str]:
        """The command line of the fork server, up to its arguments. Raises SandboxUnavailable.

        Its boxes see these files of the helper package, by default all.
        """
        if self is Way.NAMESPACES:
            return bubblewrap.command(f"{view.BOX}/{view.INSIDE[0]}", kit)
        return [sys.executable, "-I", "-S", str(Path(__file__).with_name(view.INSIDE[0]))]

    def environment(self) -> dict[str, str]:
        """All of the environment of that command."""
        return {**view.ENVIRONMENT, "TMPDIR": tempfile.gettempdir()}

    def instructions(self, kit: tuple[str, ...] | None = None) -> dict[str, Any]:
        """How the fork server seals, as it reads it. Raises SandboxUnavailable."""
        told: dict[str, Any] = {
            "namespaces": self is Way.NAMESPACES,
            "landlock": self is not Way.OPEN,
            "filter": "",
            "user": None,
            "paths": [],
            "links": {},
            "readable": [],
            "devices": view.DEVICES,
        }
        if self is Way.NAMESPACES:
            told |= {"filter": filters.program(alone=True), "readable": ["/"]}
            told["paths"] = [view.PACKAGES]
        elif self is Way.LANDLOCK:
            links = {f"python/{name}": str(real.resolve()) for name, real in view.standard_library().items()}
            links |= {f"packages/{name}": str(real.resolve()) for real, name in view.packages(kit)}
            told |= {"filter": filters.program(alone=False), "links": links}
            told["readable"] = [*links.values(), *view.libraries()]
            told["paths"] = ["{shared}/python", "{shared}/python/lib-dynload", "{shared}/packages"]
            told["user"] = another_user(told["readable"])
        else:
            told["paths"] = sorted({str(real.parent) for real, _ in view.packages()})
        return told


def another_user(readable: list[str]) -> int | None:
    """A user of no name for the student's code, if the grader is root and that user can read what it needs."""
    if os.geteuid() != 0:
        return None
    for path in map(Path, readable):
        if path.exists() and not all(above.stat().st_mode & 0o001 for above in path.parents):
            return None
    return 61184 + os.getpid() % 4336  # of the range that systemd keeps for users of the moment
