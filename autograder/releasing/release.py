"""Make what students get from what instructors edit, with nbgrader, and look for leaks before it is put in place."""

from __future__ import annotations

import os
import re
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.course import course_config
from autograder.errors import ReleaseError
from autograder.files import remove_leftovers, scratch_folder
from autograder.releasing.bundle import fill_bundle, zip_folder
from autograder.releasing.leaks import find_leaks
from autograder.sources import BEGIN, END

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autograder.course import Assignment

SCRATCH = ".release-"
SHOWN = 20
"""Leaks that a message lists."""


@dataclass(frozen=True)
class Released:
    """What was put in place: the folder that students are shown, and the zip file that they get."""

    folder: Path
    bundle: Path


def release(assignment: Assignment, course: Path, into: Path | None = None) -> Released:
    """Generate the student version of an assignment: ``assignments/NAME/`` and ``bundles/NAME.zip``.

    Both are made aside, checked, and only then put in place of the former ones. Like nbgrader's own command, this makes
    the assignment known to the course's gradebook.

    Args:
        assignment: what to release.
        course: the course folder, with ``nbgrader_config.py``.
        into: the folder with ``assignments/`` and ``bundles/``; by default the course.

    Raises:
        ReleaseError: nbgrader could not generate it, or it would give a solution away.
    """
    place = into or course
    target = Released(place / "assignments" / assignment.name, place / "bundles" / f"{assignment.name}.zip")
    for folder in (target.folder.parent, target.bundle.parent):
        folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(place, f"{SCRATCH}*")
    with scratch_folder(place, SCRATCH) as scratch:
        aside = f"sqlite:///{scratch.resolve() / 'gradebook.db'}"
        made = _generate(assignment.name, course, scratch / "generated", aside)
        bundle = scratch / "bundle" / assignment.name
        fill_bundle(assignment, made, bundle)
        leaks = find_leaks(assignment, bundle)
        if leaks:
            listed = [str(leak) for leak in leaks[:SHOWN]]
            more = [f"and {len(leaks) - SHOWN} more"] if len(leaks) > SHOWN else []
            raise ReleaseError(
                f"The release of {assignment.name} would give away:\n  " + "\n  ".join(listed + more),
                f"In the source notebook, put what students should not see between {BEGIN} and {END}, and write "
                "# given behind a line of a solution that you tell them on purpose. A module that answers a question "
                "is left out when neither a notebook of the assignment imports it nor a module that one imports.",
            )
        if into is None:
            _generate(assignment.name, course, scratch / "known", gradebook=None)
        zipped = scratch / target.bundle.name
        zip_folder(bundle, zipped)
        former = scratch / "former"
        if target.folder.exists():
            target.folder.rename(former)
        try:
            made.rename(target.folder)
            zipped.replace(target.bundle)
        except OSError:  # both or none
            if target.folder.exists():
                target.folder.rename(scratch / "refused")
            if former.exists():
                former.rename(target.folder)
            raise
    return target


def _generate(name: str, course: Path, scratch: Path, gradebook: str | None) -> Path:
    """Run nbgrader's own generation, with the course's configuration, into a folder of ours.

    It makes the assignment known to ``gradebook``, by default the course's.
    """
    from nbgrader.apps import NbGraderAPI  # here, since it takes a second

    scratch.mkdir()
    config = course_config(course)
    config.CourseDirectory.release_directory = os.path.relpath(scratch, course)
    if gradebook:
        config.CourseDirectory.db_url = gradebook
    with _programs_of_this_environment():
        result = NbGraderAPI(config=config).generate_assignment(name, force=True, create=True)
    if not result["success"]:
        raise ReleaseError(f"nbgrader could not generate {name}: {_cause(str(result.get('log') or ''))}")
    made = scratch / name
    for leftover in made.rglob(".ipynb_checkpoints"):
        shutil.rmtree(leftover)
    return made


@contextmanager
def _programs_of_this_environment() -> Iterator[None]:
    """Let ``alembic`` be found, which nbgrader starts by name, even where this environment is not activated."""
    former = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), former])
    try:
        yield
    finally:
        os.environ["PATH"] = former


def _cause(log: str) -> str:
    """What nbgrader's log names as the error: of all its tracebacks, the last line of the first."""
    named = re.findall(r"^\s*([\w.]*(?:Error|Exception): .+)$", log, re.MULTILINE)
    return named[0] if named else log.strip()[-500:] or "it did not say why"
