"""An assignment as a value: all that grading it needs, as bytes, so that it can be sent to another machine.

A worker has the kit installed and shares no disk with us. What a course has of its own, the source notebooks and the
hidden suites with whatever lies beside them, it gets as a :class:`Parcel`, lays out in a folder of its own, and loads.
"""

from __future__ import annotations

import hashlib
import sys
import types
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import autograder
from autograder.course import HOME, Assignment, load_assignment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SOURCE, SUITES = "source", "suites"
PACKAGE = "autograder.suites"
"""What a hidden suite calls the folder that it lies in, to import what lies beside it."""


@dataclass(frozen=True)
class Parcel:
    """One assignment, with the digest of the kit that packed it."""

    assignment: str
    files: Mapping[str, bytes]
    """Each file's content, under its path below the folder that :meth:`lay_out` writes to."""
    kit: str

    @cached_property
    def digest(self) -> str:
        """What it is known by: equal for equal content."""
        return digest(part for name in sorted(self.files) for part in (self.assignment, name, self.files[name]))

    def lay_out(self, folder: Path) -> None:
        """Write the files into an empty folder."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def pack(assignment: Assignment) -> Parcel:
    """The assignment as it stands on disk now."""
    folders = {SOURCE: assignment.folder, SUITES: assignment.notebooks[0].suite.parent}
    files = {
        f"{kind}/{assignment.name}/{path.name}": path.read_bytes()
        for kind, folder in folders.items()
        for path in sorted(folder.iterdir())
        if path.is_file()
    }
    return Parcel(assignment.name, files, kit_digest())


@cache
def loaded_from(folder: Path, name: str) -> Assignment:
    """The assignment that was laid out in ``folder``, read once in each process.

    From then on, this process imports what lies beside a suite from there. What was imported from another folder is
    forgotten: a worker may live through many versions of a suite.

    Raises what :func:`autograder.course.load_assignment` raises.
    """
    suites = folder / SUITES
    package = types.ModuleType(PACKAGE)
    package.__path__ = [str(suites)]
    for known, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if known == PACKAGE or known.startswith(f"{PACKAGE}.") or Path(file).parent.parent.name == SUITES:
            del sys.modules[known]
    sys.modules[PACKAGE] = package
    autograder.suites = package  # type: ignore[attr-defined]
    return load_assignment(name, folder, suites)


@cache
def kit_digest() -> str:
    """Of the grader and the helper package, as they are installed here."""
    files = [path for name in ("autograder", "coursekit") for path in sorted((HOME / name).rglob("*.py"))]
    machinery = [path for path in files if "suites" not in path.relative_to(HOME).parts]
    return digest(part for path in machinery for part in (str(path.relative_to(HOME)), path.read_bytes()))


def digest(parts: Iterable[str | bytes]) -> str:
    """Of each part by itself, so that what ends one and begins the next makes a difference."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part.encode() if isinstance(part, str) else part).digest())
    return whole.hexdigest()[:20]
