"""docs/authoring.md, followed step by step: a new assignment without a line of the machinery changed."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.course import HOME

PAGE = (HOME / "docs" / "authoring.md").read_text(encoding="utf-8")
KINDS = {
    "Read-only": {"grade": False, "solution": False, "locked": True},
    "Autograded answer": {"grade": False, "solution": True, "locked": False},
    "Autograder tests": {"grade": True, "solution": False, "locked": True},
}


def cells():
    """The notebook's cells, as the page has them and as nbgrader's sidebar would save them."""
    told = r"\*\*Cell `(\w+)`, ([\w -]+?)(?:, (\d+) points)?\*\*\n\n```python\n(.*?)\n```"
    for name, kind, points, source in re.findall(told, PAGE, re.DOTALL):
        grading = {"grade_id": name, "schema_version": 3, "task": False, **KINDS[kind]}
        grading |= {"points": int(points)} if points else {}
        cell = {"cell_type": "code", "id": name.replace("_", "-"), "metadata": {"nbgrader": grading}, "source": source}
        yield {**cell, "outputs": [], "execution_count": None}


def files():
    """The other files of the page, each told with its path."""
    return re.findall(r"^`(autograder/suites/[\w./]+)`:\n\n```\w+\n(.*?)\n```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    """A copy of the kit to which the assignment of the page has been added."""
    kit = tmp_path_factory.mktemp("kit")
    for name in ("autograder", "coursekit", "source"):
        shutil.copytree(HOME / name, kit / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("nbgrader_config.py", "pyproject.toml", "LICENSE", "get_datasets.sh"):
        shutil.copy(HOME / name, kit)
    notebook = kit / "source" / "normalization" / "unit_rows.ipynb"
    notebook.parent.mkdir()
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook.write_text(json.dumps({"cells": [*cells()], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
    for name, content in files():
        (kit / name).parent.mkdir(exist_ok=True)
        (kit / name).write_text(f"{content}\n")
    return kit


def run(kit, *arguments):
    env = {**os.environ, "PYTHONPATH": str(kit), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "autograder", *arguments]
    done = subprocess.run(command, cwd=kit, env=env, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_page_names_every_file_that_it_needs():
    assert len([*cells()]) == 5
    kinds = [name.rpartition("/")[2].partition("_")[0] for name, _ in files()]
    assert kinds == ["test", "misconceptions", "variants"]


def test_the_assignment_of_the_page_is_released_graded_and_sound(kit):
    run(kit, "release", "normalization")
    released = (kit / "assignments" / "normalization" / "unit_rows.ipynb").read_text()
    assert "raise NotImplementedError" in released
    assert (kit / "bundles" / "normalization.zip").is_file()
    assert "6 of 6 points" in run(kit, "grade", "normalization", "source/normalization/unit_rows.ipynb")
    assert "0 of 6 points" in run(kit, "grade", "normalization", "assignments/normalization/unit_rows.ipynb")
    source = (kit / "source" / "normalization" / "unit_rows.ipynb").read_text()
    (kit / "wrong.ipynb").write_text(
        source.replace("(dy - y * (y * dy).sum(axis=1, keepdims=True)) / norm", "dy / norm")
    )
    told = run(kit, "grade", "normalization", "wrong.ipynb")
    assert "2 of 6 points" in told
    assert "How many ways lead from x to y" in told
    assert "normalization is sound" in run(kit, "audit", "normalization")


def test_nothing_of_the_machinery_was_changed(kit):
    for path in (HOME / "autograder").rglob("*.py"):
        assert (kit / path.relative_to(HOME)).read_bytes() == path.read_bytes()
