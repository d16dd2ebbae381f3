"""What students get as one file: the notebooks of an assignment and what they need, and nothing of the instructor's.

A bundle is laid out like the course, so that each path in a notebook is right in both. Of ``coursekit`` it holds the
modules that the released notebooks import, those that run their checks in a repository of the student's, and those that
all of these import in turn; of the pretrained networks those that any of this names; and ``get_datasets.sh`` if a
notebook names it.
"""

from __future__ import annotations

import json
import re
import shutil
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

import coursekit
from autograder.course import HOME
from autograder.errors import ReleaseError
from autograder.kit import HOME_OF_PACKAGE, PACKAGE, needed
from coursekit.notebook import read_notebook

if TYPE_CHECKING:
    from autograder.course import AssignedNotebook, Assignment

CHECKS = (f"{PACKAGE}.ci.__main__", f"{PACKAGE}.ci.child")
"""Run the visible checks: ``python -m coursekit.ci``."""
SCRIPT = "get_datasets.sh"
"""Makes the data; it runs the module of that name."""
_WEIGHTS = re.compile(r"\w+\.weights\.h5")
_DATE = (1980, 1, 1, 0, 0, 0)
"""When everything in a zip was made, the earliest that it can say: equal files give equal bytes."""


def fill_bundle(assignment: Assignment, released: Path, folder: Path) -> None:
    """Lay out the bundle of a released assignment in an empty folder.

    Raises:
        ReleaseError: a notebook needs something that the kit does not have.
    """
    place = f"assignments/{assignment.name}"
    for path in sorted(released.rglob("*")):
        inside = path.relative_to(released)
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in inside.parts):
            _copy(path, folder / place / inside)
    notebooks = [(folder / place / f"{each.name}.ipynb").read_text(encoding="utf-8") for each in assignment.notebooks]
    script = any(SCRIPT in text for text in notebooks)
    started = [*CHECKS, *([f"{PACKAGE}.{Path(SCRIPT).stem}"] if script else [])]
    read = (read_notebook(text.encode(), each.name) for text, each in zip(notebooks, assignment.notebooks, strict=True))
    modules = needed(read, started)
    for module in modules:
        _copy(HOME_OF_PACKAGE / module, folder / PACKAGE / module)
    texts = notebooks + [(HOME_OF_PACKAGE / module).read_text(encoding="utf-8") for module in modules]
    for name in sorted({name for text in texts for name in _WEIGHTS.findall(text)}):
        _copy(HOME / "datasets" / name, folder / "datasets" / name)
    for name in ("LICENSE", *([SCRIPT] if script else [])):
        _copy(HOME / name, folder / name)
    _write_pages(assignment, folder, place, script=script)


def zip_folder(folder: Path, file: Path, *, top: str | None = None) -> None:
    """Write a folder to a zip file; the same bytes whenever it holds the same files. Scripts can be executed.

    Args:
        folder: what to zip.
        file: the zip.
        top: the folder in the zip that all of it lies in, by default one of the same name; "" for none.
    """
    above = folder.name if top is None else top
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            data = path.read_bytes()
            entry = zipfile.ZipInfo((Path(above) / path.relative_to(folder)).as_posix(), _DATE)
            entry.create_system = 3  # Unix, which has permissions
            entry.external_attr = (0o100755 if data.startswith(b"#!") else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)


def _copy(path: Path, target: Path) -> None:
    if not path.is_file():
        raise ReleaseError(f"The bundle needs {path}, which is not there.", "Restore it, or take its name out.")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)


def _write_pages(assignment: Assignment, folder: Path, place: str, *, script: bool) -> None:
    """The README and the list of packages; what the kit says of itself in ``pyproject.toml`` is said here, too."""
    kit = tomllib.loads((HOME / "pyproject.toml").read_text(encoding="utf-8"))
    project = kit["project"]
    facts: dict[str, Any] = {
        "course": project["name"],
        "assignment": assignment.name,
        "folder": place,
        "notebooks": [_described(assigned) for assigned in assignment.notebooks],
        "python": project["requires-python"].replace(">=", "") + " or newer",
        "script": SCRIPT if script else "",
        "build": kit["build-system"],
        "project": project,
        "version": coursekit.__version__,
        "dependencies": [*project["dependencies"], *project["optional-dependencies"]["notebook"]],
    }
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - what is made is no page
        keep_trailing_newline=True,
    )
    templates.filters["toml"] = json.dumps  # TOML writes text and lists of text as JSON does
    for name, template in (("README.md", "bundle_readme.md.j2"), ("pyproject.toml", "bundle_pyproject.toml.j2")):
        (folder / name).write_text(templates.get_template(template).render(facts), encoding="utf-8", newline="\n")


def _described(assigned: AssignedNotebook) -> dict[str, Any]:
    """A notebook in the README: its title is its first heading, its points those of all its grade cells."""
    title = next((line for cell in assigned.source.cells for line in cell.source.split("\n") if line[:2] == "# "), "")
    points = sum(cell.nbgrader["points"] for cell in assigned.source.cells if cell.nbgrader.get("grade"))
    extra = sum(question.points for question in assigned.questions if question.extra_credit)
    worth = [f"{points:g}" if points else "", f"{extra:g} of extra credit" if extra else ""]
    return {
        "name": assigned.name,
        "title": title.removeprefix("# "),
        "points": " and ".join(filter(None, worth)),
        "extra_credit": assigned.extra_credit,
    }


# What of the package is needed ----------------------------------------------------------------------------
