"""A small class to be graded in several ways: the four LSTM questions alone, right and wrong answers in turn."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import checks

from autograder import course as course_module
from autograder.audit.variants import variants_of
from autograder.course import HOME, load_assignment
from autograder.judging.misconceptions import defining, with_mistake
from coursekit.notebook import slice_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from autograder.course import AssignedNotebook
    from coursekit.notebook import Statement

HERE = Path(__file__).resolve().parent
ASSIGNMENT, NOTEBOOK = "captioning", "lstm_captioning"
QUESTIONS = tuple(checks.PAIRS)
GIVEN = ("affine_forward", "gate_forward", "gate_backward")
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
STOCK_CONFIG = """c = get_config()
c.CourseDirectory.course_id = "backprop"
c.CourseDirectory.release_directory = "assignments"
"""
OTTER_TEST = """from otter.test_files import test_case

OK_FORMAT = False
name = "{question}"
points = {points:g}


@test_case(points={points:g}, hidden=True)
def test_{question}({first}, {second}):
    import checks

    checks.{question}({first}, {second})
"""


@dataclass(frozen=True)
class Answer:
    """One submission: what it is, the question that it gets wrong, if any, and its statements."""

    name: str
    wrong: str | None
    statements: Sequence[Statement]


class Classroom:
    """Folders with the same class in them, ready to be graded.

    - ``kit`` and ``stock``: courses of nbgrader's, released, the one with our configuration, the other with nbgrader's;
    - ``suites``: our hidden suites, of the four questions alone;
    - ``otter``: notebooks without check cells, and ``otter/autograder.zip``.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = folder
        self.suites = folder / "suites"
        assigned = {each.name: each for each in load_assignment(ASSIGNMENT, HOME).notebooks}[NOTEBOOK]
        self.points = {each.name: each.points for each in assigned.questions if each.name in QUESTIONS}
        self.answers = _chosen(assigned, count)
        # With what is given in the notebook and variants use, for whoever writes one into it.
        solution = Answer("solution", None, slice_for(assigned.source.statements, (*QUESTIONS, *GIVEN)))
        self._write_suites(assigned)
        kit = folder / "kit"
        source = kit / "source" / ASSIGNMENT
        source.mkdir(parents=True)
        (source / f"{NOTEBOOK}.ipynb").write_text(self._notebook(solution, solved=True))
        shutil.copy(checks.__file__, source)
        shutil.copy(HOME / "nbgrader_config.py", kit)
        run([tool("nbgrader"), "generate_assignment", ASSIGNMENT], kit)
        for answer in self.answers:
            handed_in = kit / "submitted" / answer.name / ASSIGNMENT
            handed_in.mkdir(parents=True)
            (handed_in / f"{NOTEBOOK}.ipynb").write_text(self._notebook(answer))
        shutil.copytree(kit, folder / "stock")
        (folder / "stock" / "nbgrader_config.py").write_text(STOCK_CONFIG)
        self._write_otter()

    def use_suites(self) -> None:
        """Let this process grade by the suites of the four questions."""
        course_module.SUITES = self.suites

    def copy(self, course: str, target: Path, students: int) -> Path:
        """A course with a gradebook of its own and the first ``students`` submissions."""
        shutil.copytree(self.folder / course, target)
        for answer in self.answers[students:]:
            shutil.rmtree(target / "submitted" / answer.name)
        return target

    def _notebook(self, answer: Answer, *, solved: bool = False, checked: bool = True) -> str:
        """A notebook with the four answers and, if they are to be ``checked`` by nbgrader, a check after each."""
        cells = []
        for question, source in _by_question(answer.statements):
            text = f"{source}\n    {END}" if solved else re.sub(f"\n *{BEGIN}", "", source)
            cells.append(_cell(f"{question}_solution", text, solution=True))
            if checked:
                first, second = checks.PAIRS[question]
                # A forward pass is checked before its backward pass is defined.
                second = second if question == second else first
                test = f"import checks\n\nchecks.{question}({first}, {second})"
                cells.append(_cell(question, test, points=self.points[question]))
        return json.dumps({"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5})

    def _write_suites(self, assigned: AssignedNotebook) -> None:
        """The suite, the known mistakes and the variants, all without other questions, and what they import."""
        folder = self.suites / ASSIGNMENT
        shutil.copytree(assigned.suite.parent, folder, ignore=shutil.ignore_patterns("test_*", "__pycache__"))
        tree = ast.parse(assigned.suite.read_text())
        tree.body = [node for node in tree.body if _question_of(node) in (None, *QUESTIONS)]
        (folder / assigned.suite.name).write_text(ast.unparse(tree))
        for listed, of in (("misconceptions", "{each.question}"), ("variants", "set(each.questions)")):
            with (folder / f"{listed}_{NOTEBOOK}.py").open("a") as file:
                name = listed.upper()
                file.write(f"\n{name} = tuple(each for each in {name} if {of} <= {set(QUESTIONS)})\n")

    def _write_otter(self) -> None:
        folder = self.folder / "otter"
        tests = folder / "tests"
        tests.mkdir(parents=True)
        shutil.copy(checks.__file__, folder)
        for question, (first, second) in checks.PAIRS.items():
            values = {"question": question, "points": self.points[question], "first": first, "second": second}
            (tests / f"{question}.py").write_text(OTTER_TEST.format(**values))
        for answer in self.answers:
            (folder / f"{answer.name}.ipynb").write_text(self._notebook(answer, checked=False))


METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def _cell(grade_id: str, source: str, *, points: float = 0, solution: bool = False) -> dict[str, Any]:
    known = {"grade_id": grade_id, "schema_version": 3, "solution": solution, "task": False}
    graded = {"grade": not solution, "locked": not solution} | ({} if solution else {"points": points})
    return {
        "cell_type": "code",
        "id": grade_id.replace("_", "-"),
        "metadata": {"nbgrader": known | graded},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def _by_question(statements: Sequence[Statement]) -> Iterator[tuple[str, str]]:
    """For each question the source of its cell: the statement that defines it, and the helpers before it."""
    defined = {id(defining(statements, question)): question for question in QUESTIONS}
    waiting = []
    for statement in statements:
        waiting.append(statement.source)
        if id(statement) in defined:
            yield defined[id(statement)], "\n\n\n".join(waiting)
            waiting = []


def _chosen(assigned: AssignedNotebook, count: int) -> list[Answer]:
    """The reference, and then right and wrong answers in turn, the wrong ones of each question in turn."""
    steps, sequences = (
        [variant for variant in variants_of(assigned) if variant.questions == pair]
        for pair in (QUESTIONS[:2], QUESTIONS[2:])
    )
    mistakes = {
        question: [known for known in assigned.misconceptions if known.question == question] for question in QUESTIONS
    }

    def answer(name: str, wrong: str | None, statements: Sequence[Statement]) -> Answer:
        return Answer(name, wrong, slice_for(statements, QUESTIONS))

    whole = assigned.source.statements
    answers = [answer("reference", None, whole)]
    for place in range(1, count):
        turn = place // 2
        if place % 2:
            question = QUESTIONS[turn % 4]
            known = mistakes[question][turn // 4 % len(mistakes[question])]
            answers.append(answer(f"s{place:03}-wrong", question, with_mistake(whole, known)))
        else:
            step, sequence = steps[turn % len(steps)], sequences[turn % len(sequences)]
            answers.append(answer(f"s{place:03}-right", None, sequence.apply(step.apply(list(whole)))))
    return answers


def _question_of(node: ast.stmt) -> str | None:
    """The question that a test of a suite is marked with."""
    for decorator in getattr(node, "decorator_list", ()):
        if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "question":
            return str(ast.literal_eval(decorator.args[0]))
    return None


def tool(name: str) -> str:
    """A program of this environment."""
    return str(Path(sys.executable).with_name(name))


def run(command: Sequence[str], folder: Path) -> str:
    """Run a command in ``folder``, each library on one thread; returns what it printed. Raises SystemExit."""
    path = f"{Path(command[0]).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(  # noqa: S603 - our own commands
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:3])} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def environment_of_otter() -> Path:
    """The environment of otter-grader, set up when it is not there; its packages are not those of the kit."""
    folder = HERE / ".venv"
    if not (folder / "bin" / "otter").exists():
        run([sys.executable, "-m", "venv", str(folder)], HERE)
        run([str(folder / "bin" / "pip"), "install", "--quiet", "-r", "requirements.txt"], HERE)
    return folder / "bin"
