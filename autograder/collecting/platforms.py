"""Who handed in what, as Canvas, Moodle and Gradescope write it into the names of their zips.

=========== ================================================================================================
Canvas      ``lovelaceada_LATE_12345_67890_name-2.ipynb``: the name as it is sorted, without spaces; LATE if it was;
            Canvas's number of the student and of the file (a later file has a higher one); the file's name, with -2
            if a file of that name was handed in before. ``anon_x1Y2z_67890_name.ipynb`` in anonymous grading.
Moodle      ``Ada Lovelace_1234_assignsubmission_file_/name.ipynb``: the number is that of the participant in this
            one assignment. Newer versions write no underscore at the end; without folders the file's name follows it.
Gradescope  ``assignment_1_export/submission_2/name.ipynb``, and ``submission_metadata.yml`` beside the folders, which
            knows who and when.
=========== ================================================================================================
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import yaml

from autograder.collecting.archive import Entry, Left
from autograder.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CANVAS = re.compile(
    r"(?:(?P<name>.+?)_)??(?P<late>LATE_)?(?:(?P<number>\d+)|(?P<anonymous>anon_[^_]+))"
    r"_(?:(?P<file>\d+)_(?P<rest>.+)|(?P<text>text|link)\.html)",
    re.DOTALL,
)
MOODLE = re.compile(r"(?P<name>.*?)_(?P<number>\d+)_assignsubmission_(?P<kind>[a-z]+)(?:_(?P<rest>.*))?", re.DOTALL)
"""Whoever handed in stands in front: in the file's name, which is the student's, all of it may stand once more."""
METADATA = "submission_metadata.yml"
MAX_METADATA = 256 * 2**20
"""Bytes of what Gradescope says of its submissions; the output of each former grading is in it."""


@dataclass(frozen=True)
class Piece:
    """A file that was handed in: its path below the submission, and of files of one name, which is the latest."""

    parts: tuple[str, ...]
    order: int
    entry: Entry


@dataclass
class Upload:
    """What one student handed in at one time."""

    key: str
    """What the platform calls it."""
    name: str = ""
    number: str = ""
    """The platform's number of the student."""
    email: str = ""
    sid: str = ""
    """The student's number at the university, as far as the platform knows it."""
    time: datetime | None = None
    late: bool = False
    dated: bool = False
    """Whether ``order`` of its files tells which is later."""
    pieces: list[Piece] = field(default_factory=list)

    @property
    def order(self) -> tuple[float, int]:
        """Of two uploads, the later has the higher one."""
        return (self.time.timestamp() if self.time else 0.0, max((piece.order for piece in self.pieces), default=0))


@dataclass(frozen=True)
class Export:
    """A zip of a whole class, taken apart by who handed in what."""

    platform: str
    uploads: list[Upload]
    left: list[Left]


def read_export(found: Sequence[Entry | Left]) -> Export:
    """Tell which platform a zip comes from, and whose each file in it is.

    Raises:
        UsageError: it comes from none of the three.
    """
    files = [each for each in found if isinstance(each, Entry)]
    left = [each for each in found if isinstance(each, Left)]
    while files and all(len(each.parts) > 1 for each in files) and len({each.parts[0] for each in files}) == 1:
        if MOODLE.fullmatch(files[0].parts[0]):
            break
        files = [replace(each, parts=each.parts[1:]) for each in files]  # the folder around it all
    if any(each.parts == (METADATA,) for each in files):
        return _gradescope(files, left)
    moodles = sum(MOODLE.fullmatch(each.parts[0]) is not None for each in files)
    canvases = sum(len(each.parts) == 1 and CANVAS.fullmatch(each.parts[0]) is not None for each in files)
    if moodles and moodles >= canvases:  # the files of one student may be named so that they are of either form
        return _moodle(files, left)
    if canvases:
        return _canvas(files, left)
    raise UsageError(
        "This zip is none that Canvas, Moodle or Gradescope gives: no name in it says who handed it in.",
        "Take the zip of all submissions as it was downloaded; docs/uploads.md shows what each looks like.",
    )


def _canvas(files: Sequence[Entry], left: list[Left]) -> Export:
    uploads: dict[str, Upload] = {}
    for each in files:
        found = CANVAS.fullmatch(each.parts[0]) if len(each.parts) == 1 else None
        if found is None:
            left.append(Left(each.path, "its name does not say who handed it in"))
        elif found["text"]:
            left.append(Left(each.path, "it is a text or a link that was typed into Canvas, not a file"))
        else:
            number = found["number"] or found["anonymous"]
            upload = uploads.setdefault(number, Upload(number, found["name"] or "", number, dated=True))
            upload.late |= bool(found["late"])
            upload.pieces.append(Piece((found["rest"],), int(found["file"]), each))
    return Export("Canvas", list(uploads.values()), left)


def _moodle(files: Sequence[Entry], left: list[Left]) -> Export:
    uploads: dict[str, Upload] = {}
    for each in files:
        found = MOODLE.fullmatch(each.parts[0])
        if found is None:
            left.append(Left(each.path, "its name does not say who handed it in"))
            continue
        below = each.parts[1:] or ((found["rest"],) if found["rest"] else ())
        if found["kind"] != "file" or not below:
            left.append(Left(each.path, "it is a text that was typed into Moodle, not a file"))
            continue
        key = f"{found['name']}_{found['number']}"
        upload = uploads.setdefault(key, Upload(key, found["name"], found["number"]))
        upload.pieces.append(Piece(below, each.order, each))
    names = defaultdict(list)
    for upload in uploads.values():
        names[upload.number].append(upload.name)
    for upload in uploads.values():
        if len(names[upload.number]) > 1:
            called = " and ".join(names[upload.number])
            left.append(Left(upload.key, f"{upload.number} is one participant, and is called {called}"))
    return Export("Moodle", [each for each in uploads.values() if len(names[each.number]) == 1], left)


def _gradescope(files: Sequence[Entry], left: list[Left]) -> Export:
    [metadata] = [each for each in files if each.parts == (METADATA,)][-1:]
    known = _submissions(metadata)
    uploads: dict[tuple[str, int], Upload] = {}
    for each in files:
        if each is metadata:
            continue
        folder = each.parts[0]
        if len(each.parts) == 1 or not known.get(folder):
            left.append(Left(each.path, f"{METADATA} does not say who handed it in"))
            continue
        for number, who in enumerate(known[folder]):  # all of a group, each a submission of their own
            upload = uploads.setdefault((folder, number), who)
            upload.pieces.append(Piece(each.parts[1:], each.order, each))
    return Export("Gradescope", list(uploads.values()), left)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads YAML that Ruby wrote: plain data, whatever class it says it is of."""


def _plain(loader: _Loader, _: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


_Loader.add_multi_constructor("!", _plain)


def _submissions(metadata: Entry) -> dict[str, list[Upload]]:
    """For each folder of a Gradescope export those who handed it in."""
    data = metadata.read(MAX_METADATA)
    if isinstance(data, str):
        raise UsageError(f"{metadata.path} cannot be read: {data}.")
    try:
        content = yaml.load(data, _Loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{metadata.path} is no YAML that can be read: {str(error).splitlines()[0]}.") from error
    if not isinstance(content, dict):
        raise UsageError(f"{metadata.path} does not list submissions.")
    return {str(folder): list(_submitters(str(folder), told)) for folder, told in content.items()}


def _submitters(folder: str, told: Any) -> Iterator[Upload]:
    told = told if isinstance(told, dict) else {}
    submitters = told.get(":submitters")
    for who in submitters if isinstance(submitters, list) else []:
        if isinstance(who, dict):
            name, sid, email = (str(who.get(key) or "").strip() for key in (":name", ":sid", ":email"))
            yield Upload(folder, name, "", email, sid, _time(told.get(":created_at")))


def _time(told: Any) -> datetime | None:
    try:
        time = told if isinstance(told, datetime) else datetime.fromisoformat(str(told))
    except ValueError:
        return None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
