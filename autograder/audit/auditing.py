"""The audit of one assignment: its findings, with the mutants that are known to be right taken into account."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autograder.audit.checking import SURVIVES, Finding, check, mutants_in, plan
from autograder.audit.equivalents import equivalents_of
from autograder.parallel import in_parallel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from autograder.course import Assignment

EQUIVALENT = "equivalent"
"""The part that a mutant is one of which survives and is known to be right."""


@dataclass
class Audit:
    """What an audit found: everything that was checked, and with which seed."""

    assignment: str
    seed: int
    findings: list[Finding]

    @property
    def problems(self) -> list[Finding]:
        """What is not as it should be."""
        return [finding for finding in self.findings if finding.problem]

    def of(self, part: str, notebook: str, question: str) -> list[Finding]:
        """What was found about one part of one question."""
        return [
            each for each in self.findings if (each.part, each.notebook, each.question) == (part, notebook, question)
        ]


def audit(
    assignment: Assignment,
    *,
    sample: int | None = None,
    seed: int | None = None,
    seeds: int = 3,
    jobs: int | None = None,
    watch: Callable[[Iterator[list[Finding]], int], Iterable[list[Finding]]] = lambda shares, _: shares,
) -> Audit:
    """Check that the suites of an assignment pass what is right and fail what is wrong.

    Args:
        assignment: what is audited.
        sample: how many mutants are made, spread over the questions; by default all.
        seed: repeats an audit; by default a new one.
        seeds: how many seeds each variant is examined with.
        jobs: how many processes there are; by default one for each processor.
        watch: passes the findings on, so many in all, and shows how far it is.

    Raises:
        SuiteError: a suite, a variant or the list of equivalent mutants does not fit the assignment.
    """
    seed = secrets.randbits(32) if seed is None else seed
    tasks = plan(assignment, sample=sample, seed=seed, seeds=seeds)
    found = [finding for share in watch(in_parallel(check, tasks, jobs), len(tasks)) for finding in share]
    return Audit(assignment.name, seed, settled(assignment, found))


def settled(assignment: Assignment, found: Sequence[Finding]) -> list[Finding]:
    """The findings when the listed equivalent mutants are taken into account: a survivor that is listed is no problem.

    A listed one that is not there any more is, and so is one that the suite fails.
    """
    findings = [each for each in found if not each.notebook]
    for assigned in assignment.notebooks:
        listed = equivalents_of(assigned)
        own = [each for each in found if each.notebook == assigned.name]
        known = {each for each in own if each.problem.startswith(SURVIVES) and each.mutant in listed}
        findings += [replace(each, part=EQUIVALENT, problem="") if each in known else each for each in own]
        caught = {each.mutant for each in own} - {each.mutant for each in own if each.problem}
        exist = {mutant for mutant, _ in mutants_in(assigned)}
        for mutant, equivalent in listed.items():
            if mutant not in exist:
                problem = "there is no such mutant any more"
            elif mutant in caught and not equivalent.depends_on_seed:
                problem = "the suite fails it"
            else:
                continue
            told = f"is listed as equivalent, but {problem}"
            findings.append(Finding("mutants", assigned.name, mutant.question, str(mutant), told))
    return findings
