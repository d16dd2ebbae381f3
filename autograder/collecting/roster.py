"""Which student of the course somebody is whom a platform knows by a number, an address or a name."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autograder.course import course_config, has_gradebook
from autograder.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from autograder.collecting.platforms import Upload

COLUMNS = "id,first_name,last_name,email,lms_user_id"


class Unknown(Exception):
    """It cannot be told which student somebody is; the text says why."""


@dataclass(frozen=True)
class Person:
    """A student of the course."""

    id: str
    names: frozenset[str]
    email: str
    number: str


class Roster:
    """The students of a course; none at all if nothing is known of them."""

    def __init__(self, people: Sequence[Person]) -> None:
        self._people = people

    @classmethod
    def of_course(cls, course: Path) -> Roster:
        """Those of the gradebook of whom more than the id is known. Raises AutograderError if that cannot be read."""
        if not has_gradebook(course):
            return cls([])
        from autograder.gradebook.opening import opened  # here, since nbgrader takes a second to import

        with opened(course_config(course)) as gradebook:
            people = [
                _person(str(each.id), each.first_name, each.last_name, each.email, each.lms_user_id)
                for each in gradebook.students
            ]
        return cls([each for each in people if each.names or each.email or each.number])

    @classmethod
    def of_file(cls, path: Path) -> Roster:
        """Those of a CSV file: nbgrader's own columns, or what Canvas and Moodle export.

        Raises:
            UsageError: it cannot be read, or has none of these columns.
        """
        try:
            text = path.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"{path} is no text in UTF-8.", "Save it as CSV in UTF-8.") from error
        headings = text.partition("\n")[0]
        semicolons = headings.count(";") > headings.count(",")  # as spreadsheets write it where 0,5 is a number
        rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if semicolons else ",")
        people = [person for row in rows if (person := _listed({k: v or "" for k, v in row.items() if k})) is not None]
        if not people:
            raise UsageError(
                f"{path} lists no students; its columns are: {', '.join(rows.fieldnames or ['none'])}.",
                f"Give a CSV file with the columns {COLUMNS}, Canvas's export of its gradebook, or Moodle's grading "
                "worksheet.",
            )
        return cls(people)

    def student(self, upload: Upload) -> str:
        """The id of the student whose upload it is.

        Raises:
            Unknown: it is nobody's, or could be that of several.
        """
        if not self._people:
            return _without_roster(upload)
        tries: list[tuple[str, list[Person]]] = [
            (upload.number, [each for each in self._people if each.number == upload.number]),
            (upload.sid, [each for each in self._people if upload.sid in {each.id, each.number}]),
            (upload.email, [each for each in self._people if each.email == upload.email.casefold()]),
            (upload.name, [each for each in self._people if compact(upload.name) in each.names]),
        ]
        for told, found in tries:
            if told and len(found) == 1:
                return found[0].id
            if told and len(found) > 1:
                listed = " and ".join(each.id for each in found)
                raise Unknown(f"{told} could be {listed}; say in the roster whose number it is, as lms_user_id")
        known = ", ".join(part for part in (upload.name, upload.number, upload.sid, upload.email) if part)
        raise Unknown(f"the roster knows nobody who is {known}")


def compact(name: str) -> str:
    """A name as Canvas writes it: letters and digits alone, in small letters."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFC", name).casefold())


def _without_roster(upload: Upload) -> str:
    """What a platform itself tells, in a form that is a folder's name, and the same in every assignment."""
    words = "-".join(re.findall(r"[^\W_]+", unicodedata.normalize("NFC", upload.name).casefold()))
    if upload.sid or upload.email:
        return upload.sid or upload.email.casefold()
    if upload.number and upload.key == upload.number:  # Canvas's, which stays the same
        return f"{words}-{upload.number}" if words else upload.number
    if not words:
        raise Unknown("it does not say who handed it in; give a roster")
    return words


def _person(id_: str, first: Any, last: Any, email: Any, number: Any) -> Person:
    first, last = str(first or ""), str(last or "")
    names = {compact(first + last), compact(last + first)} - {""}
    return Person(id_, frozenset(names), str(email or "").strip().casefold(), str(number or "").strip())


def _listed(row: Mapping[str, str]) -> Person | None:
    """A row of a roster, whoever wrote it; None if it is no student."""
    row = {key.strip(): value.strip() for key, value in row.items()}
    if "Student" in row:  # Canvas
        last, _, first = row["Student"].partition(",")
        id_ = row.get("SIS User ID") or row.get("SIS Login ID") or ""
        email = row.get("SIS Login ID", "")
        person = _person(id_, first, last, email if "@" in email else "", row.get("ID"))
    elif "Email address" in row:  # Moodle
        id_ = row.get("ID number") or row.get("Username") or row["Email address"]
        names = (row.get("First name"), row.get("Last name")) if "First name" in row else (row.get("Full name"), "")
        number = "".join(re.findall(r"\d+$", row.get("Identifier", "")))
        person = _person(id_, *names, row["Email address"], number)
    else:
        fields = ("first_name", "last_name", "email", "lms_user_id")
        person = _person(row.get("id", ""), *(row.get(name) for name in fields))
    return person if person.id else None
