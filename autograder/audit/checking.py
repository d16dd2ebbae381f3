"""What an audit consists of, part for part, and how each part is checked."""

from __future__ import annotations

import ast
import random
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from itertools import zip_longest
from typing import TYPE_CHECKING

from autograder.audit.mutants import mutants_of
from autograder.audit.session import Session
from autograder.audit.variants import variants_of
from autograder.grading import Submission, grade
from autograder.judging.misconceptions import with_mistake
from autograder.releasing.leaks import find_leaks
from coursekit.notebook import names_used_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from autograder.audit.mutants import Mutant
    from autograder.audit.variants import Variant
    from autograder.course import AssignedNotebook, Assignment
    from coursekit.notebook import Statement

SURVIVES = "gets full marks"
"""What is wrong with a mutant that no test fails."""
CHUNK = 25
"""How many mutants are one task: enough to make up for its start, few enough to see how far it is."""


@dataclass(frozen=True)
class Finding:
    """One thing that was checked. ``problem`` says what is wrong, nothing if it is as it should be."""

    part: str
    notebook: str
    question: str
    name: str
    problem: str = ""
    mutant: Mutant | None = None


@dataclass(frozen=True)
class Task:
    """A share of the work for one process: some cases of one part, in one notebook or, if that is not named, in all."""

    part: str
    assignment: Assignment
    notebook: str = ""
    cases: tuple[int, ...] = (0,)
    seeds: tuple[int, ...] = (0,)

    @property
    def size(self) -> int:
        """How much work it is, in cases."""
        return len(self.cases) * len(self.seeds)


def plan(assignment: Assignment, *, sample: int | None, seed: int, seeds: int) -> list[Task]:
    """All that is to be checked.

    Args:
        assignment: what is audited.
        sample: how many mutants, spread over the questions; by default all.
        seed: where the random numbers start.
        seeds: how many seeds each variant is examined with.
    """
    chosen = _chosen(assignment, sample, seed)
    tasks = [Task(part, assignment, seeds=(seed,)) for part in WHOLE]
    for assigned in assignment.notebooks:
        rounds = len(rounds_of(variants_of(assigned)))
        shares: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = []
        shares += [("mutants", share, (seed,)) for share in _shares(chosen[assigned.name], CHUNK)]
        shares += [("mistakes", share, (seed,)) for share in _shares(range(len(assigned.misconceptions)), 5)]
        many = _shares(range(seed, seed + seeds), 10)
        shares += [("variants", (case,), share) for case in range(rounds) for share in many]
        tasks += [Task(part, assignment, assigned.name, cases, seeds) for part, cases, seeds in shares]
    return random.Random(seed).sample(tasks, len(tasks))  # noqa: S311 - mixed, so that the bar moves evenly


def _shares(cases: Sequence[int], size: int) -> list[tuple[int, ...]]:
    return [tuple(cases[start : start + size]) for start in range(0, len(cases), size)]


def check(task: Task) -> list[Finding]:
    """Do a share of the work."""
    if task.part in WHOLE:
        return list(WHOLE[task.part](task.assignment, *task.seeds))
    assigned = _kept(next(each for each in task.assignment.notebooks if each.name == task.notebook))
    if task.part == "mutants":  # these are to be told from what is right, not from each other
        assigned = _kept(replace(assigned, misconceptions=()))
    beside = {each.path.name: each.source.bare() for each in task.assignment.notebooks if each.name != task.notebook}
    work = {"mutants": _check_mutants, "mistakes": _check_mistakes, "variants": _check_variants}[task.part]
    return list(work(Session(assigned, beside), task))


_KEPT: list[AssignedNotebook] = []


def _kept(assigned: AssignedNotebook) -> AssignedNotebook:
    """The same notebook as this process had it before, with all that was computed from it."""
    if assigned not in _KEPT:
        _KEPT.append(assigned)
    return _KEPT[_KEPT.index(assigned)]


# ------------------------------------------------------------------------------------------------------------ mutants


def mutants_in(assigned: AssignedNotebook) -> list[tuple[Mutant, list[Statement]]]:
    """All mutants of a notebook's questions; each process makes them once."""
    return _mutants(tuple(assigned.solution), assigned.names)


@cache
def _mutants(solution: tuple[Statement, ...], names: tuple[str, ...]) -> list[tuple[Mutant, list[Statement]]]:
    return [found for name in names for found in mutants_of(solution, name)]


def _chosen(assignment: Assignment, sample: int | None, seed: int) -> dict[str, list[int]]:
    """The numbers of the mutants to examine, by notebook."""
    by_question: dict[tuple[str, str], list[int]] = {}
    for assigned in assignment.notebooks:
        for number, (mutant, _) in enumerate(mutants_in(assigned)):
            by_question.setdefault((assigned.name, mutant.question), []).append(number)
    rng = random.Random(seed)  # noqa: S311 - no secret
    ranks = zip_longest(
        *([(notebook, n) for n in rng.sample(numbers, len(numbers))] for (notebook, _), numbers in by_question.items())
    )
    spread = [each for rank in ranks for each in rank if each is not None][:sample]
    return {each.name: sorted(n for name, n in spread if name == each.name) for each in assignment.notebooks}


def _check_mutants(session: Session, task: Task) -> Iterator[Finding]:
    mutants = mutants_in(session.assigned)
    for mutant, statements in (mutants[case] for case in task.cases):
        problem = _survives(session, mutant.question, statements, *task.seeds)
        yield Finding(task.part, task.notebook, mutant.question, str(mutant), problem, mutant)


def _survives(session: Session, question: str, statements: Sequence[Statement], seed: int) -> str:
    """What is wrong if a mutant gets full marks, and so does its other half, which it hands its cache to."""
    verdicts = session.examine(statements, [question], seed, hasty=True)
    if verdicts.errors:
        return verdicts.told(question)
    halves = {half for pair in session.pairs if question in pair for half in pair} - {question}
    own_halves = [name for name in session.assigned.names if name in halves]
    if not verdicts.full(question) or (own_halves and not _all_full(session, statements, own_halves, seed)):
        return ""
    others = [
        name
        for name in built_on(session.assigned, question)
        if not session.examine(statements, [name], seed, hasty=True).full(name)
    ]
    return f"{SURVIVES}; only {', '.join(others)} would notice" if others else SURVIVES


def _all_full(session: Session, statements: Sequence[Statement], questions: Sequence[str], seed: int) -> bool:
    return all(session.examine(statements, [name], seed, hasty=True).full(name) for name in questions)


@cache
def _uses(statements: tuple[Statement, ...], name: str) -> frozenset[str]:
    return frozenset(names_used_by(statements, [name]))


def built_on(assigned: AssignedNotebook, question: str) -> list[str]:
    """The questions of a notebook that use another one."""
    name = question.partition(".")[0]
    solution = tuple(assigned.solution)
    return [
        other
        for other in assigned.names
        if other != question and other.partition(".")[0] != name and name in _uses(solution, other)
    ]


# ------------------------------------------------------------------------------------------------------ known mistakes


def _check_mistakes(session: Session, task: Task) -> Iterator[Finding]:
    for case in task.cases:
        known = session.assigned.misconceptions[case]
        problem = mistake_problem(session, case, *task.seeds)
        yield Finding(task.part, task.notebook, known.question, known.name, problem)


def mistake_problem(session: Session, case: int, seed: int) -> str:
    """What is wrong with a known mistake: it must fail its question alone, and be told by its name."""
    known = session.assigned.misconceptions[case]
    statements = with_mistake(session.assigned.solution, known)
    verdicts = session.examine(statements, [known.question], seed)
    if verdicts.errors:
        return verdicts.told(known.question)
    if verdicts.full(known.question):
        return SURVIVES
    names = {test.misconception for test in verdicts.results[known.question]} - {""}
    if known.name not in names:
        instead = f"but as {', '.join(sorted(names))}" if names else f"but said to be: {verdicts.told(known.question)}"
        return f"is not recognised, {instead}"
    others = session.examine_built_on(known.question, statements, _others(session.assigned, known.question), seed)
    return "; ".join(f"costs {name} too: {told}" for name, told in others.items())


def _others(assigned: AssignedNotebook, question: str) -> list[str]:
    """The questions that a mistake could cost too: those built on it, and those whose cache it makes."""
    name = question.partition(".")[0]
    solution = tuple(assigned.solution)
    return [
        other
        for other in assigned.names
        if other != question and (name in _uses(solution, other) or _stem(other) == _stem(question))
    ]


def _stem(question: str) -> str:
    """What a forward and a backward function have in common."""
    return question.removesuffix("_forward").removesuffix("_backward")


# ------------------------------------------------------------------------------------------------------------ variants


def rounds_of(variants: Iterable[Variant]) -> list[list[Variant]]:
    """The variants in as few notebooks as possible, none of which writes a question twice; first one without any."""
    rounds: list[list[Variant]] = [[]]
    for variant in variants:
        for taken in rounds[1:]:
            if not any(set(variant.questions) & set(other.questions) for other in taken):
                taken.append(variant)
                break
        else:
            rounds.append([variant])
    return rounds


def _check_variants(session: Session, task: Task) -> Iterator[Finding]:
    for variants in (rounds_of(variants_of(session.assigned))[case] for case in task.cases):
        statements: Sequence[Statement] = session.assigned.source.statements
        for variant in variants:
            statements = variant.apply(statements)
        for seed in task.seeds:
            verdicts = session.examine(statements, session.assigned.names, seed)
            lost = {name: verdicts.told(name) for name in session.assigned.names if not verdicts.full(name)}
            others = lost.keys() - {question for variant in variants for question in variant.questions}
            if not variants:
                yield from (
                    Finding("reference", task.notebook, name, f"seed {seed}", lost.get(name, ""))
                    for name in session.assigned.names
                )
            for variant in variants:
                told = next((f"{name}: {lost[name]}" for name in (*variant.questions, *others) if name in lost), "")
                problem = f"loses points with seed {seed}: {told}" if told else ""
                yield from (
                    Finding(task.part, task.notebook, name, variant.name, problem) for name in variant.questions
                )


# ------------------------------------------------------------------------------------------------ reference and stub


def _check_reference(assignment: Assignment, seed: int) -> Iterator[Finding]:
    """The reference solution must earn everything, by its own functions, in the box in which students are graded."""
    for assigned in assignment.notebooks:
        for module, cell in _missing_modules(assigned):
            told = f"{module}, which it imports in cell {cell}, is not there; install it, or do without"
            yield Finding("reference", assigned.name, "", assigned.path.name, told)
    files = {assigned.path.name: assigned.path.read_bytes() for assigned in assignment.notebooks}
    yield from _graded(assignment, "reference", files, seed, lambda points, most: points == most)


def _missing_modules(assigned: AssignedNotebook) -> Iterator[tuple[str, int]]:
    """What a notebook imports, under no condition, and cannot, with the cell; no suite runs what no question needs."""
    for statement in assigned.source.statements:
        match ast.parse(statement.source).body:
            case [ast.Import(names=names)]:
                modules = [alias.name for alias in names]
            case [ast.ImportFrom(module=str(module), level=0)]:
                modules = [module]
            case _:
                continue
        for name in dict.fromkeys(module.partition(".")[0] for module in modules):
            if find_spec(name) is None and not any(assigned.path.parent.glob(f"{name}*")):
                yield name, statement.cell


def _check_stub(assignment: Assignment, seed: int) -> Iterator[Finding]:
    """What is released must earn nothing."""
    paths = [_released(assignment) / assigned.path.name for assigned in assignment.notebooks]
    missing = [path for path in paths if not path.is_file()]
    for path in missing:
        yield Finding(
            "stub", path.stem, "", path.name, f"there is no {path}; run: autograder release {assignment.name}"
        )
    if not missing:
        files = {path.name: path.read_bytes() for path in paths}
        yield from _graded(assignment, "stub", files, seed, lambda points, _: points == 0)


def _check_leaks(assignment: Assignment, _: int) -> Iterator[Finding]:
    """What is released must give nothing away."""
    for leak in find_leaks(assignment, _released(assignment)):
        yield Finding("leaks", "", "", leak.where, f"{leak.text.strip()}: {leak.gives}")


def _released(assignment: Assignment) -> Path:
    return assignment.folder.parents[1] / "assignments" / assignment.name


def _graded(
    assignment: Assignment, part: str, files: dict[str, bytes], seed: int, sound: Callable[[float, float], bool]
) -> Iterator[Finding]:
    result = grade(assignment, Submission(part, files), seed=seed)
    for notebook in result.notebooks:
        for question in notebook.questions:
            told = question.explanation
            problem = f"earns {question.points:g} of {question.max_points:g}" + (
                f": {told.rationale or told.cause}" if told else ""
            )
            fine = sound(question.points, question.max_points) and question.judged_with == "own"
            yield Finding(part, notebook.notebook, question.question, part, "" if fine else problem)
    if result.failure:
        yield Finding(part, "", "", part, result.failure)


WHOLE = {"reference": _check_reference, "stub": _check_stub, "leaks": _check_leaks}
"""The parts that are checked for all notebooks at once."""
