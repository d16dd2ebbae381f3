"""The audit: the suites of the course are sound, and an assignment that is not is found out."""

import json
import sys
import tomllib
from dataclasses import replace

import pytest
from click.testing import CliRunner

from autograder import course
from autograder.audit import Task, audit, check, plan, settled
from autograder.audit.checking import mutants_in, rounds_of
from autograder.audit.session import Session
from autograder.audit.variants import variants_of
from autograder.cli import main
from autograder.course import HOME, assignment_names, load_assignment
from autograder.grading import Submission, grade
from autograder.sandbox import POLICY, OpenBox, Overran, Step
from coursekit.notebook import Statement

ASSIGNMENTS = {name: load_assignment(name, HOME) for name in assignment_names(HOME)}
NOTEBOOKS = [(name, assigned) for name, assignment in ASSIGNMENTS.items() for assigned in assignment.notebooks]
QUESTIONS = [
    pytest.param(name, assigned, question, id=f"{assigned.name}: {question}")
    for name, assigned in NOTEBOOKS
    for question in assigned.names
]
SEED = 7


def told(findings):
    return "\n".join(f"{each.question}, {each.name}: {each.problem}" for each in findings if each.problem)


# ------------------------------------------------------------------------------------------ the suites of the course


@pytest.mark.parametrize(("assignment", "assigned", "question"), QUESTIONS)
def test_a_known_mistake_costs_its_question_alone_and_is_told_by_its_name(assignment, assigned, question):
    cases = tuple(n for n, known in enumerate(assigned.misconceptions) if known.question == question)
    assert cases
    findings = check(Task("mistakes", ASSIGNMENTS[assignment], assigned.name, cases, (SEED,)))
    assert len(findings) == len(cases)
    assert not told(findings)


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_no_mutant_of_a_sample_survives_that_is_not_listed_as_equivalent(name):
    tasks = plan(ASSIGNMENTS[name], sample=40, seed=SEED, seeds=1)
    findings = [found for task in tasks if task.part == "mutants" for found in check(task)]
    assert len(findings) == 40
    assert not told(settled(ASSIGNMENTS[name], findings))


@pytest.mark.parametrize(("assignment", "assigned"), [pytest.param(*each, id=each[1].name) for each in NOTEBOOKS])
def test_a_right_answer_earns_everything_however_it_is_written(assignment, assigned):
    rounds = rounds_of(variants_of(assigned))
    cases = range(len(rounds))[::2]  # half of them; the audit runs them all
    findings = check(Task("variants", ASSIGNMENTS[assignment], assigned.name, tuple(cases), (SEED,)))
    written = [question for case in cases for variant in rounds[case] for question in variant.questions]
    assert len(findings) == len(assigned.names) + len(written)
    assert not told(findings)


@pytest.mark.parametrize("assigned", [pytest.param(each, id=each.name) for _, each in NOTEBOOKS])
def test_every_question_is_written_in_six_other_right_ways(assigned):
    written = [question for variant in variants_of(assigned) for question in variant.questions]
    assert {name: written.count(name) for name in assigned.names if written.count(name) < 6} == {}


def test_a_package_that_is_installed_has_all_that_lies_beside_the_suites():
    told = tomllib.loads((HOME / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["package-data"]
    packed = {path for pattern in told["autograder"] for path in (HOME / "autograder").glob(pattern)}
    beside = (HOME / "autograder" / "suites").rglob("*")
    assert {path for path in beside if path.is_file() and path.suffix not in {".py", ".pyc"}} <= packed


def test_verdicts_are_the_same_as_those_of_grading_in_the_box(captioning):
    """Words and all, for answers that are wrong, that raise, and that never end."""
    assigned = captioning.notebooks[0]
    name = "rnn_step_backward"
    mutants = [statements for mutant, statements in mutants_in(assigned) if mutant.question == name][:1]
    endless = [
        replace(each, source=each.source.replace("### BEGIN SOLUTION", "while True: pass"))
        if name in each.source
        else each
        for each in assigned.solution
    ]
    session = Session(assigned, {})
    here = [session.examine(answer, [name], SEED).results[name] for answer in (*mutants, endless)]
    for answer, found in zip((*mutants, endless), here, strict=True):
        cells = [{"cell_type": "markdown", "source": "", "metadata": {}} for _ in assigned.source.cells]
        for statement in answer:
            above = cells[statement.cell - 1]["source"]
            lines = "\n" * (statement.line - 1 - above.count("\n"))
            cells[statement.cell - 1] = {
                "cell_type": "code",
                "metadata": {},
                "source": above + lines + statement.source,
            }
        file = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()
        result = grade(captioning, Submission("ada", {assigned.path.name: file}), seed=SEED)
        boxed = next(each for each in result.notebooks[0].questions if each.question == name)
        assert list(boxed.tests) == found


def test_an_open_box_ends_what_never_ends_and_tells_what_was_raised():
    box = OpenBox(replace(POLICY, call_seconds=0.05))
    assert box.execute(Statement("def f(x):\n    while x: pass\n    return 1 / x", 1, 1, 0)) is None
    with pytest.raises(Overran, match=r"within 0\.05 s"):
        box.perform([Step("call", "f", None, (1,))])
    [raised] = box.perform([Step("call", "f", None, (0,))])
    assert (raised.kind, raised.lines) == ("ZeroDivisionError", (("cell 1", 3, "f"),))


# ---------------------------------------------------------------------------------- an assignment made to be audited

FORWARD = '''
def scale_forward(x, w):
    """Multiply each number by a weight."""
    ### BEGIN SOLUTION
    out = x * w
    return out, (x, w)
    ### END SOLUTION
'''
BACKWARD = '''
def scale_backward(dout, cache):
    """Return dx and dw."""
    ### BEGIN SOLUTION
    x, w = cache
    dx = dout * w
    dw = dout * x
    return dx, dw
    ### END SOLUTION
'''
SUITE = '''
from autograder.judging.calling import Layer
from autograder.judging.judge import question

SCALE = Layer("scale_forward", "scale_backward", ("out",), ("dx", "dw"))


def inputs(judge):
    return {"x": judge.normal(3, 5), "w": judge.normal(3, 5)}


@question("scale_forward")
def test_forward(judge):
    """out is x w."""
    judge.forward(SCALE, inputs(judge))


@question("scale_backward")
def test_backward(judge):
    """dx and dw are gradients."""
    judge.gradients(SCALE, inputs(judge), names=GRADIENTS)
'''
MISTAKES = """
from autograder.judging.misconceptions import Misconception

MISCONCEPTIONS = (
    Misconception("scale_forward", "added", "w is added", "Add or multiply?", ("x * w", "x + w")),
    Misconception("scale_backward", "w for x", "dw is made of w", "Of what is dw made?", ("dout * x", "dout * w")),
)
"""
VARIANTS = """
from autograder.audit.variants import Variant

VARIANTS = (
    Variant(("scale_forward",), "np.multiply", "def scale_forward(x, w):\\n    return np.multiply(x, w), [x, w]"),
    Variant(("scale_backward",), "a helper", "times = lambda a, b: a * b\\n\\n\\ndef scale_backward(dout, cache):\\n"
            "    x, w = cache\\n    return times(dout, w), times(dout, x)"),
)
"""


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Make a course with one small assignment; what is given takes the place of one of its files."""

    def make(suite=SUITE, gradients='["dx", "dw"]', mistakes=MISTAKES, variants=VARIANTS, equivalents="", stub=None):
        suites = tmp_path / "suites" / "small"
        suites.mkdir(parents=True)
        (suites / "test_scaling.py").write_text(suite.replace("GRADIENTS", gradients))
        (suites / "misconceptions_scaling.py").write_text(mistakes)
        (suites / "variants_scaling.py").write_text(variants)
        (suites / "equivalent_scaling.toml").write_text(equivalents or "equivalent = []")
        solution = {"scale_forward": FORWARD, "scale_backward": BACKWARD}
        unwritten = {name: f"def {name}(*_):\n    raise NotImplementedError" for name in solution}
        for folder, answers in (("source", solution), ("assignments", stub or unwritten)):
            (tmp_path / folder / "small").mkdir(parents=True)
            (tmp_path / folder / "small" / "scaling.ipynb").write_text(notebook_of(answers))
        (tmp_path / "nbgrader_config.py").write_text("c = get_config()\n")
        monkeypatch.setattr(course, "SUITES", tmp_path / "suites")
        monkeypatch.chdir(tmp_path)
        monkeypatch.delitem(sys.modules, "test_scaling", raising=False)  # the suite of the test before
        return load_assignment("small", tmp_path)

    return make


def notebook_of(answers):
    cells = [
        {"cell_type": "code", "metadata": {}, "source": "import numpy as np", "outputs": [], "execution_count": None}
    ]
    for name, source in answers.items():
        cells.append({**cells[0], "source": source.strip()})
        graded = {"grade": True, "solution": False, "grade_id": name, "points": 2, "locked": True, "schema_version": 3}
        cells.append({**cells[0], "source": "pass", "metadata": {"nbgrader": graded}})
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def problems(assignment):
    return [(each.part, each.name, each.problem) for each in audit(assignment, seed=SEED, seeds=1, jobs=1).problems]


def test_a_sound_assignment_passes(small):
    small()
    done = CliRunner().invoke(main, ["audit", "small", "--jobs", "1", "--seed", "7"])
    assert done.exit_code == 0, done.output
    assert "small is sound" in done.output
    assert "✓ scale_backward" in done.output


def test_a_hole_in_a_suite_is_found_by_the_mutants_that_survive_in_it(small):
    small(gradients='["dx"]')
    done = CliRunner().invoke(main, ["audit", "small", "--jobs", "1", "--seed", "7"])
    assert done.exit_code == 1
    assert "✗ scale_backward" in done.output
    assert "scale_backward: dw = dout * x  →  dw = dout / x" in done.output
    assert "gets full marks" in done.output


def test_a_mistake_that_the_suite_does_not_see_is_told(small):
    assert ("mistakes", "w for x", "gets full marks") in problems(small(gradients='["dx"]'))


def test_a_mistake_that_is_taken_for_another_is_told(small):
    twice = MISTAKES.replace(
        "MISCONCEPTIONS = (", "MISCONCEPTIONS = (\n" + MISTAKES.split("\n")[4].replace('"added"', '"plus"')
    )
    assert problems(small(mistakes=twice)) == [("mistakes", "added", "is not recognised, but as plus")]


def test_a_right_answer_that_fails_is_told_with_its_seed(small):
    wrong = VARIANTS.replace("times(dout, x)", "times(x, x)")
    [(part, name, problem)] = problems(small(variants=wrong))
    assert (part, name) == ("variants", "a helper")
    assert problem.startswith("loses points with seed 7: scale_backward: test_backward: dw is wrong")


@pytest.mark.parametrize(
    ("now", "what"),
    [("dx = dout / w", "the suite fails it"), ("dx = dout * w * 2", "there is no such mutant any more")],
)
def test_a_mutant_that_is_listed_for_nothing_is_told(small, now, what):
    stale = f'[[equivalent]]\nquestion = "scale_backward"\nwas = "dx = dout * w"\nnow = ["{now}"]\nbecause = "it is."\n'
    assert problems(small(equivalents=stale)) == [
        ("mutants", f"scale_backward: dx = dout * w  →  {now}", f"is listed as equivalent, but {what}")
    ]


def test_a_release_that_gives_the_solution_away_and_earns_points_is_told(small):
    found = problems(small(stub={"scale_forward": FORWARD, "scale_backward": BACKWARD}))
    assert ("stub", "stub", "earns 2 of 2") in found
    assert {part for part, _, _ in found} == {"stub", "leaks"}


def test_a_release_that_is_not_there_is_told(small):
    assignment = small()
    (assignment.folder.parents[1] / "assignments" / "small" / "scaling.ipynb").unlink()
    [(part, name, problem)] = problems(assignment)
    assert (part, name) == ("stub", "scaling.ipynb")
    assert "autograder release small" in problem
