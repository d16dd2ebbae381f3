"""Put what is in a zip of a class where the course collects submissions: ``submitted/STUDENT/ASSIGNMENT/``."""

from __future__ import annotations

import errno
import json
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.collecting.archive import Left, entries, opened
from autograder.collecting.layout import KEPT_NAMES, ORIGIN, TIMESTAMP, lay_out
from autograder.collecting.platforms import read_export
from autograder.collecting.roster import Roster, Unknown
from autograder.course import assignment_names, source_notebooks
from autograder.errors import AutograderError, UsageError
from autograder.files import remove_leftovers, scratch_folder
from autograder.records import submitted_folder, unfit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from autograder.collecting.layout import Laid
    from autograder.collecting.platforms import Upload

SCRATCH = ".collect-"
OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
"""What no student's files are to blame for, and what would happen to everybody's."""


@dataclass(frozen=True)
class Taken:
    """A submission that was put in place, or was there already."""

    student: str
    name: str
    files: tuple[str, ...]
    late: bool
    new: bool


@dataclass(frozen=True)
class Collected:
    """What became of a zip."""

    platform: str
    taken: list[Taken] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)


def collect(
    assignment: str, file: Path, course: Path, *, roster: Path | None = None, replace: bool = False
) -> Collected:
    """Take the submissions in a zip.

    Each is put in place whole or not at all. One that is there already is replaced only by a later one. What cannot be
    written of one student is left out, and nobody else's.

    Args:
        assignment: the name of what was asked.
        file: the zip, as Canvas, Moodle or Gradescope gives it.
        course: where it goes.
        roster: a CSV file of the students; by default those of the course's gradebook.
        replace: replace also what is later, or what cannot be compared.

    Raises:
        UsageError: there is no such assignment, or the zip or the roster cannot be made sense of; nothing is written.
        AutograderError: ``submitted/`` cannot be written.
    """
    notebooks = [path.stem for path in source_notebooks(assignment, course)]
    if not file.is_file():
        raise UsageError(f"There is no file {file}.")
    archive = opened(file)
    if isinstance(archive, str):
        raise UsageError(f"{file} cannot be read: {archive}.", "Download it again.")
    with archive:
        people = Roster.of_file(roster) if roster else Roster.of_course(course)
        export = read_export(list(entries(archive)))
        collected = Collected(export.platform, left=export.left)
        place = submitted_folder(course)
        try:
            place.mkdir(exist_ok=True)
            remove_leftovers(place, f"{SCRATCH}*")
            with scratch_folder(place, SCRATCH) as scratch:
                assignments = {name.casefold() for name in assignment_names(course)}
                uploads = _latest(export.uploads, people, assignments, collected.left)
                staged = _staged(assignment, notebooks, uploads, collected, scratch, replace=replace)
                _put_in_place(staged, collected, scratch)
        except OSError as error:
            raise AutograderError(f"{error.filename or place} cannot be written: {error.strerror or error}.") from error
    return collected


@dataclass(frozen=True)
class _Staged:
    """A submission that is written, and where it goes."""

    made: Path
    target: Path
    taken: Taken


def _staged(
    assignment: str,
    notebooks: list[str],
    uploads: Iterator[tuple[str, Upload]],
    collected: Collected,
    scratch: Path,
    *,
    replace: bool,
) -> list[_Staged]:
    """Write what is to be put in place to a folder of its own, and note the rest."""
    staged: list[_Staged] = []
    for number, (student, upload) in enumerate(uploads):
        laid = lay_out(upload, notebooks)
        collected.left.extend(laid.left)
        if not laid.files:
            collected.left.append(Left(upload.key, f"nothing of {student}'s can be taken"))
            continue
        target = scratch.parent / student / assignment
        origin = {"platform": collected.platform, "key": upload.key, "latest": laid.order if upload.dated else None}
        with _of_one(f"{upload.key} ({student})", collected.left):
            taken = Taken(student, upload.name, tuple(laid.files), upload.late, new=not _same(target, laid))
            reason = _no_later(target, upload, origin) if taken.new and not replace else ""
            if reason:
                collected.left.append(Left(f"{upload.key} ({student})", reason))
            elif taken.new:
                made = scratch / "made" / str(number)
                _write(made, laid, upload, origin)
                staged.append(_Staged(made, target, taken))
            else:
                collected.taken.append(taken)
    return staged


@contextmanager
def _of_one(who: str, left: list[Left]) -> Iterator[None]:
    """Note what cannot be written of one submission, so that the others are; raise what is wrong with the disk."""
    try:
        yield
    except OSError as error:
        if error.errno in OF_THE_DISK:
            raise
        left.append(Left(who, f"it cannot be written: {error.strerror or error}"))


def _put_in_place(staged: list[_Staged], collected: Collected, scratch: Path) -> None:
    for each in staged:
        with _of_one(each.taken.student, collected.left):
            each.target.parent.mkdir(parents=True, exist_ok=True)
            former = scratch / f"former-{each.made.name}"
            if each.target.exists():
                each.target.rename(former)
            try:
                each.made.rename(each.target)
            except OSError:
                if former.exists():
                    former.rename(each.target)
                raise
            collected.taken.append(each.taken)
    collected.taken.sort(key=lambda taken: taken.student)


def _latest(
    uploads: list[Upload], people: Roster, assignments: Collection[str], left: list[Left]
) -> Iterator[tuple[str, Upload]]:
    """Of each student the latest upload."""
    of: dict[str, list[tuple[str, Upload]]] = defaultdict(list)
    for upload in uploads:
        try:
            student = people.student(upload)
        except Unknown as error:
            left.append(Left(upload.key, str(error)))
            continue
        reason = _no_id(student, assignments)
        if reason:
            left.append(Left(upload.key, reason))
        else:
            of[student.casefold()].append((student, upload))
    for found in of.values():
        student, latest = max(found, key=lambda pair: pair[1].order)
        others = [upload for _, upload in found if upload is not latest]
        if {(upload.number, upload.sid, upload.email) for _, upload in found} != {
            (latest.number, latest.sid, latest.email)
        }:
            listed = " and ".join(upload.key for _, upload in found)
            left += [
                Left(upload.key, f"{listed} would both be {student}; give a roster that tells them apart")
                for _, upload in found
            ]
            continue
        left += [Left(upload.key, f"{student} has handed in again: {latest.key}") for upload in others]
        yield student, latest


def _no_id(student: str, assignments: Collection[str]) -> str:
    """Why a student's folder cannot be called so, or nothing."""
    if student.startswith(".") or len(Path(student).parts) != 1 or not student.isprintable() or "\\" in student:
        return f"{student!r} is no name that a folder may have"
    if student.casefold() in assignments:
        return f"{student!r} is the name of an assignment; give a roster that calls them otherwise"
    reason = unfit(student)
    return f"{reason}; give a roster with a shorter id" if reason else ""


def _write(folder: Path, laid: Laid, upload: Upload, origin: dict[str, Any]) -> None:
    for name, data in laid.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / ORIGIN).write_text(json.dumps(origin) + "\n", encoding="utf-8")
    if upload.time:
        (folder / TIMESTAMP).write_text(f"{upload.time:%Y-%m-%d %H:%M:%S.%f} UTC\n", encoding="utf-8")


def _same(target: Path, laid: Laid) -> bool:
    """Whether what is there is what would be written."""
    if not target.is_dir():
        return False
    found = {path.relative_to(target).as_posix(): path for path in target.rglob("*") if path.is_file()}
    there = {name: path for name, path in found.items() if name not in KEPT_NAMES}
    return there.keys() == laid.files.keys() and all(there[name].read_bytes() == laid.files[name] for name in there)


def _no_later(target: Path, upload: Upload, origin: dict[str, Any]) -> str:
    """Why what is there is not to be replaced; nothing if it is not there or is earlier."""
    if not target.exists():
        return ""
    there = _origin(target)
    handed_in = _handed_in(target)
    if upload.time and handed_in:
        earlier, later = handed_in, upload.time
    elif origin["latest"] and isinstance(there.get("latest"), int) and there.get("key") == origin["key"]:
        earlier, later = there["latest"], origin["latest"]
    else:
        return "another submission is there, and it cannot be told which is later; --replace takes this one"
    if later > earlier:
        return ""
    return "the submission that is there is as late or later; --replace takes this one all the same"


def _origin(target: Path) -> dict[str, Any]:
    try:
        told = json.loads((target / ORIGIN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _handed_in(target: Path) -> datetime | None:
    """When it was handed in, as nbgrader would read it."""
    from autograder.gradebook.beside import (
        handed_in_at,
    )  # here, since it is needed only where something is there already

    try:
        time = handed_in_at(target)
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time else None
