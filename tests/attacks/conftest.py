"""A class of attackers, graded once through the command line; and the sealed box, for attacks on the box itself.

An attack is an entry of a TOML file beside this one: a cell that stands behind wrong answers to every question. A
line that begins with @1000@ stands there a thousand times.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from autograder.course import HOME
from autograder.judging.watching import MOVES, POINTS
from autograder.sandbox import Box, Way

HERE = Path(__file__).parent
SEED = 20
SECRETS = {
    "solution": "owl-in-the-solution",
    "suite": "fox-in-the-suite",
    "environment": "elk-in-the-environment",
    "neighbour": "hen-of-the-neighbour",
}
"""Words that are hidden where no attack may look; they must not be in anything that comes out."""
WATCHED = POINTS * (1 + 2 * MOVES) - 1
"""How often a wrong gate is called to see how it answers, after the first time: attackers know, and wait for it."""
SMALL = "call_seconds=1.0, batch_seconds=1.5, statement_seconds=1.0, load_seconds=2.0, lent_seconds=2.0"
LIMITS = f"{SMALL}, notebook_seconds=6.0, smaller_cases=4, smaller_seconds=1.0, message=4096"
"""So that attacks which wait for a limit do not wait long, and what they have got is told in full."""


@dataclass(frozen=True)
class Attack:
    """One entry of a file of attacks."""

    family: str
    name: str
    source: str
    points: dict[str, float] = field(default_factory=dict)
    """What each question earns, if not 0."""
    told: str = "is wrong: relative error"
    """A pattern that the report has to match, for that shows that the attack took place."""
    ends: str = ""
    """In place of these, for an attack on the box: a pattern of what it returns, or of what is said of its end."""

    @property
    def id(self) -> str:
        return f"{self.family}: {self.name}"


def listed(*families):
    """The attacks of these families."""
    return [Attack(name, **entry) for name in families for entry in tomllib.loads(_text(f"{name}.toml"))["attack"]]


def _text(name):
    return (HERE / name).read_text(encoding="utf-8")


def pytest_generate_tests(metafunc):
    """A test that takes an ``attack`` is run for each attack of the families that its mark names."""
    mark = metafunc.definition.get_closest_marker("families")
    if mark is not None:
        metafunc.parametrize("attack", listed(*mark.args), ids=lambda attack: attack.id)


def pytest_configure(config):
    config.addinivalue_line("markers", "families(*names): the attacks that a test is about")


# ---------------------------------------------------------------------------------------------------- the class

NOTEBOOK_FAMILIES = ("forging", "shadowing", "ending", "reading", "writing", "exhausting", "outliving", "tricking")


def code(source, **metadata):
    return {"cell_type": "code", "metadata": metadata, "outputs": [], "execution_count": None, "source": source}


def notebook(*cells):
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    numbered = [{**cell, "id": f"c{number}"} for number, cell in enumerate(cells)]
    return json.dumps({"cells": numbered, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5})


class Class:
    """The kit, a course, the class in it, and what became of it."""

    def __init__(self, folder):
        self.kit, self.scratch = folder / "kit", folder / "scratch"
        self.scratch.mkdir()
        ignored = shutil.ignore_patterns("__pycache__")
        for name in ("autograder", "coursekit"):
            shutil.copytree(HOME / name, self.kit / name, ignore=ignored)
        with (self.kit / "autograder" / "sandbox" / "policy.py").open("a") as policy:
            policy.write(f"\nimport dataclasses\n\nPOLICY = dataclasses.replace(POLICY, {LIMITS})\n")
        for name in ("nbgrader_config.py", "pyproject.toml", "LICENSE", "get_datasets.sh"):
            shutil.copy(HOME / name, self.kit)
        suite = self.kit / "autograder" / "suites" / "gate"
        suite.mkdir()
        (suite / "test_gate.py").write_text(_text("course/suite.py").replace("SECRET", SECRETS["suite"]))
        shutil.copy(HERE / "course" / "misconceptions.py", suite / "misconceptions_gate.py")
        source = self.kit / "source" / "gate" / "gate.ipynb"
        source.parent.mkdir(parents=True)
        source.write_text(notebook(*self._source()))
        self.victims, self.attacks = {}, {}
        self.secrets = SECRETS

    def _source(self):
        for name, text in tomllib.loads(_text("course/gate.toml"))["cell"].items():
            grading = {"grade_id": name, "schema_version": 3, "task": False}
            points = 3 if name in ("gate_forward", "chain") else 4
            kinds = (
                {"grade": True, "solution": False, "locked": True, "points": points}
                if text.startswith("assert")
                else {"grade": False, "solution": "SOLUTION" in text, "locked": "SOLUTION" not in text}
            )
            yield code(text.replace("SECRET", SECRETS["solution"]), nbgrader={**grading, **kinds})

    def hand_in(self, student, *cells):
        folder = self.kit / "submitted" / student / "gate"
        folder.mkdir(parents=True)
        (folder / "gate.ipynb").write_text(notebook(*map(code, cells)))

    def fill(self, attacks):
        """Attackers, with three victims before, between and behind them."""
        cells = tomllib.loads(_text("course/victims.toml"))
        groups = (attacks[: len(attacks) // 2], attacks[len(attacks) // 2 :], ())
        number = 0
        for place, group in zip(("first", "middle", "last"), groups, strict=True):
            for name, source in cells["victim"].items():
                number += 1
                student = f"{number:03}-{place}-{name}"
                self.victims[student] = name
                self.hand_in(student, cells["imports"], source.replace("SECRET", SECRETS["neighbour"]))
            for attack in group:
                number += 1
                self.attacks[attack.id] = f"{number:03}-attack"
                places = {"@COURSE@": str(self.kit), "@HOME@": str(HOME), "@MOVES@": str(WATCHED)}
                source = re.sub("^@1000@ (.*\n)", lambda line: line[1] * 1000, attack.source, flags=re.MULTILINE)
                for mark, path in places.items():
                    source = source.replace(mark, path)
                self.hand_in(f"{number:03}-attack", cells["imports"], cells["wrong"], source)

        submitted = self.kit / "submitted"
        (submitted / "empty" / "gate").mkdir(parents=True)
        (submitted / "linked").mkdir()
        (submitted / "linked" / "gate").symlink_to(submitted / min(self.victims) / "gate")
        (submitted / min(self.victims) / "gate" / "private.txt").write_text("mine")

    def run(self, *arguments, timeout=300):
        """Run a command of the kit's in the course, and see that no process outlives it."""
        env = {
            **os.environ,
            "PYTHONPATH": str(self.kit),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "TMPDIR": str(self.scratch),
            "GRADER_TOKEN": SECRETS["environment"],
            "COLUMNS": "500",
        }
        command = [sys.executable, str(HERE / "course" / "reaper.py"), sys.executable, "-m", "autograder", *arguments]
        return subprocess.run(
            command, cwd=self.kit, env=env, capture_output=True, text=True, check=False, timeout=timeout
        )

    def snapshot(self):
        """Every file of the kit, the course and what was handed in, with its content."""
        kept = ("autograder", "coursekit", "source", "submitted", "assignments")
        return {
            path: path.read_bytes()
            for name in kept
            for path in sorted((self.kit / name).rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts
        }

    def grade(self):
        """Grade the class, write its pages, and keep all that can be seen of it."""
        made = self.run("release", "gate")
        assert made.returncode == 0, made.stdout + made.stderr
        before, mounts = self.snapshot(), Path("/proc/self/mountinfo").read_text()
        started = time.monotonic()
        done = self.run("grade", "gate", "--json", "out.json", "--seed", str(SEED), "--jobs", "2")
        self.seconds = time.monotonic() - started
        self.code, self.terminal = done.returncode, done.stdout + done.stderr
        self.unchanged = self.snapshot() == before
        self.new_mounts = set(Path("/proc/self/mountinfo").read_text().splitlines()) - set(mounts.splitlines())
        self.left_in_scratch = sorted(path.name for path in self.scratch.iterdir())
        pages = self.run("report", "gate")
        assert pages.returncode == 0, pages.stdout + pages.stderr
        self.results = self._told("out.json")

    def grade_alone(self):
        """The victims, graded where nobody attacks."""
        for student in self.victims:
            shutil.copytree(self.kit / "submitted" / student, self.kit / "alone" / student)
        done = self.run("grade", "gate", "alone", "--json", "alone.json", "--seed", str(SEED), "--jobs", "1")
        assert done.returncode == 0, done.stdout + done.stderr
        return self._told("alone.json")

    def _told(self, report):
        return {each["student"]: each for each in json.loads((self.kit / report).read_text())["submissions"]}

    def result(self, attack):
        return self.results[self.attacks[attack.id]]

    def shown(self, student):
        """All that anyone gets to see of one student: the report, the page, the autograded notebook."""
        seen = [json.dumps(self.results[student], ensure_ascii=False)]
        seen += [(self.kit / "reports" / "gate" / f"{student}.html").read_text()]
        seen += [path.read_text() for path in (self.kit / "autograded" / student).rglob("*.ipynb")]
        return "\n".join(seen)


@pytest.fixture(scope="session")
def the_class(tmp_path_factory):
    """Graded once for all tests."""
    made = Class(tmp_path_factory.mktemp("attacked"))
    made.fill(listed(*NOTEBOOK_FAMILIES))
    made.grade()
    return made


# ------------------------------------------------------------------------------------------------------ the box


@pytest.fixture
def attacks():
    """Every attack."""
    return listed(*NOTEBOOK_FAMILIES, "box")


@pytest.fixture(params=[Way.NAMESPACES, Way.LANDLOCK], ids=lambda way: way.value)
def sealed_box(request):
    """What makes a box: called with a policy, or without, and used in a ``with`` block."""
    Box(way=request.param).close()  # from here on its fork server is there
    return partial(Box, way=request.param)
