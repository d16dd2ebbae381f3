"""The student's notebook as a hidden test sees it: functions that answer, and failures that explain themselves.

The box behind it is started when first needed, and started anew after a function has hung, crashed or otherwise ended
it, or has used it up. Such a function is not called again: each of its tests gets the same sentence at once.
"""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from autograder.judging.answers import Answers
from autograder.judging.bounds import Bounds
from autograder.judging.lending import Loan
from autograder.judging.verdicts import CallFailed, NotCalled
from autograder.sandbox import POLICY, Box, OpenBox, Raised, Trouble, Way
from coursekit.notebook import Problem, defines, listed, names_used_by, old_habits, slice_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from autograder.sandbox import Policy, Step
    from coursekit.notebook import Notebook, Statement


CALLS = ("call", "follow", "count")
NO_THREADS = "can't start new thread"
FEW = 3
"""Problems in one hint: the first is where to begin, and each test that fails repeats them."""
MISSING = re.compile(r"name '(\w+)' is not defined")


class Allowance:
    """The wall time that one notebook of a submission has, in all of its boxes together."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._spent = 0.0

    @property
    def left(self) -> float:
        """What has not been used up."""
        return max(self.seconds - self._spent, 0.0)

    @contextmanager
    def spent(self) -> Iterator[None]:
        """Count the time that this takes."""
        started = time.monotonic()
        try:
            yield
        finally:
            self._spent += time.monotonic() - started


class Student(Answers):
    """A student's notebook that answers calls from within a box.

    Args:
        notebook: what they handed in.
        names: the graded functions and classes; only what these need is executed.
        policy: the limits of the box.
        allowance: the time that it has, if there are other boxes of the same notebook.
        beside: files that lie beside the notebook, by name: the other notebooks of the submission.
        loan: functions and classes of the reference that stand in for theirs.
        kit: the files of the helper package that it may use; by default all.
        isolated: False runs their code as a plain process, for code one trusts.
        inside: True runs it in this process, for code of our own: much faster, and nothing is sealed.
    """

    _loan: Loan

    def __init__(
        self,
        notebook: Notebook,
        names: Iterable[str],
        policy: Policy = POLICY,
        *,
        allowance: Allowance | None = None,
        beside: Mapping[str, bytes] | None = None,
        loan: Loan | None = None,
        kit: tuple[str, ...] | None = None,
        isolated: bool = True,
        inside: bool = False,
    ) -> None:
        super().__init__(loan or Loan({}))
        self.problems: dict[int, Problem] = {}
        """Why statements could not be run, by their position."""
        self.notebook = notebook
        self._policy = policy
        way = None if isolated else Way.OPEN
        self._new_box = partial(OpenBox, policy) if inside else partial(Box, policy, way, kit)
        self._bounds = None if inside else Bounds(policy.call_seconds, policy.memory)
        self._beside = dict(beside or {})
        self._statements = slice_for(notebook.statements, names)
        # Started now, so that it comes up while the suite is being read.
        self._fresh: Box | OpenBox | None = self._new_box()
        self._box: Box | OpenBox | None = None
        self.fatal: dict[str, str] = {}
        """Functions that have ended their box or used it up, and how."""
        self._allowance = allowance or Allowance(policy.notebook_seconds)
        self.changed: set[tuple[str, str]] = set()
        """Functions and those of their arguments that they have changed, since it last forgot."""

    def close(self) -> None:
        """End the box."""
        for box in (self._fresh, self._box):
            if box is not None:
                box.close()
        self._fresh = self._box = None

    def forget(self) -> None:
        """Let go of everything that tests hold in the box, and of theirs that it holds: called between two tests."""
        self._guests.clear()
        self.changed.clear()
        if self._box is not None:
            self._box.forget()

    def may_call(self, function: str, other: str) -> bool:
        """Whether a function, or something that it uses, has the name of another in it; a method may."""
        return "." in function or other in names_used_by(self.notebook.statements, [function])

    def _answer(self, step: Step) -> Any:
        if self._bounds is None:
            return super()._answer(step)
        with self._bounds.kept():
            return super()._answer(step)

    def _perform(self, steps: Sequence[Step]) -> list[Any]:
        function = self._label(steps)
        self._must_be_there(steps)
        self._must_not_be_fatal(function)
        if not self._allowance.left:
            told = f"{function} was not called: the notebook had used up its {self._allowance.seconds:g} s."
            raise NotCalled(function, told, "Look for work that is done again and again.")
        try:
            with self._allowance.spent():
                box = self._running_box(steps)
                results = box.perform(steps, self._answer)
            for step, arguments in zip(steps, box.changed, strict=False):  # which it may not have come to
                self.changed |= {(self._label([step]), argument) for argument in arguments}
        except Trouble as trouble:
            self._box = None
            before = [step for step in steps if step.do != "follow"]
            if len(before) < len(steps):  # if it was one of these, this tells which
                self._perform(before)
            self.fatal[function] = f"{function} {trouble}."
            raise CallFailed(function, self.fatal[function]) from None
        if isinstance(results[-1], Raised):
            function = self._label(steps[: len(results)])
            if results[-1].kind == "Sealed" and self._loan.names:
                raise CallFailed(self._loan.names[0], f"{function} looks into what that leaves behind.")
            failed = self._explained(function, results[-1])
            if _exhausting(results[-1]):
                self.fatal[function] = failed.rationale
                box.close()  # with what is left in it
                self._box = None
            raise failed
        return results

    # ----------------------------------------------------------------------------------------- the box

    def _running_box(self, steps: Sequence[Step]) -> Box | OpenBox:
        if self._box is None:
            if any(step.target is not None for step in steps):
                raise NotCalled(self._label(steps), "What it needs was lost when the interpreter ended.")
            self._box = self._loaded_box()
            if self._loan.names:
                self._box.lend(self._loan.names, self._loan.alone)
            self._must_be_there(steps)  # not known before it was loaded
        return self._box

    def _loaded_box(self) -> Box | OpenBox:
        """A box in which the needed statements have been executed, but for those that cannot be."""
        deadline = time.monotonic() + min(self._policy.load_seconds, self._allowance.left)
        while True:
            box = self._fresh or self._new_box()
            self._fresh = None
            try:
                for file, content in self._beside.items():
                    box.place(file, content)
                for statement in self._statements:
                    if statement.position in self.problems:
                        continue
                    if time.monotonic() > deadline:
                        self._skip(statement, "not run, since the definitions before it had used up their time")
                    else:
                        self._execute(box, statement)
            except Trouble as trouble:
                self._skip(statement, f"this statement {trouble}")
            except BaseException:
                box.close()
                raise
            else:
                return box

    def _execute(self, box: Box | OpenBox, statement: Statement) -> None:
        raised = box.execute(statement)
        if raised is not None:
            line = next(
                (n for cell, n, _ in reversed(raised.lines) if cell == f"cell {statement.cell}"), statement.line
            )
            self._skip(statement, f"{raised.kind}: {raised.message}".rstrip(": "), line)

    def _skip(self, statement: Statement, message: str, line: int | None = None) -> None:
        self.problems[statement.position] = Problem(message, statement.cell, line or statement.line)

    # ------------------------------------------------------------------------------------- explanations

    @staticmethod
    def _label(steps: Sequence[Step]) -> str:
        """What a step calls, as a student would name it: "affine_forward", "Network.loss"."""
        step = next((step for step in reversed(steps) if step.do in CALLS), steps[-1])
        if step.target is None:
            return step.name
        kind = step.target.description.removeprefix("a ")
        return f"{kind}.{step.name}" if step.name else kind

    def _must_be_there(self, steps: Sequence[Step]) -> None:
        """Raise CallFailed unless each function of the notebook that is called is defined, and has ended no box."""
        for called in dict.fromkeys(step.name for step in steps if step.do in CALLS and step.target is None):
            self._must_be_defined(called)
            self._must_not_be_fatal(called)

    def _must_be_defined(self, function: str) -> None:
        name = function.partition(".")[0]
        if name in self._loan.names:
            return
        statement = defines(self.notebook.statements, name)
        if statement is None:
            spoiled = self.notebook.problem_with(name)
            if spoiled is not None:
                raise NotCalled(function, f"{name} cannot be read: {spoiled}", "Correct that cell and run it again.")
            hint = "Was its cell deleted, or the function renamed?"
            raise NotCalled(function, f"{name} is not defined in {self.notebook.name}.ipynb.", hint)
        if statement.position in self.problems:
            raise NotCalled(function, f"{name} could not be defined: {self.problems[statement.position]}.")

    def _must_not_be_fatal(self, function: str) -> None:
        """Do not wait again for what has hung, or for what calls it."""
        if function in self.fatal:
            raise NotCalled(function, self.fatal[function])
        used = names_used_by(self.notebook.statements, [function]) if self.fatal else set()
        for name in sorted(used & self.fatal.keys()):
            raise NotCalled(function, f"{function} uses {name}. {self.fatal[name]}")

    def _explained(self, function: str, raised: Raised) -> CallFailed:
        where = f" ({_place(raised)})" if raised.lines else ""
        inner = raised.lines[-1][2] if raised.lines else ""
        if "NotImplementedError" in raised.kinds:
            if inner in ("", function.rpartition(".")[2]):
                return CallFailed(function, f"{function} is not written yet{where}.")
            return CallFailed(function, f"{function} calls {inner}, which is not written yet{where}.")
        if "MemoryError" in raised.kinds:
            limit = self._policy.memory >> 20
            return CallFailed(function, f"{function} ran out of memory{where}: {limit} MiB is all it may use.")
        if raised.kind == "SystemExit":
            return CallFailed(function, f"{function} ends the program{where} instead of returning.")
        if raised.kind == "WireError":
            return CallFailed(function, f"{function} returned more than can be taken.")
        said = f"{raised.kind}: {raised.message}".rstrip(": ")
        hints = old_habits(self._source_of(function)) if raised.kind in ("NameError", "AttributeError") else []
        hints += listed(self._why_missing(raised.message), FEW) if raised.kind == "NameError" else []
        raises = "" if raised.kind == "NameError" else raised.kind  # which has nothing to do with the inputs
        return CallFailed(function, f"{function} raised {said}{where}.", " ".join(hints), raised=raises)

    def _why_missing(self, message: str) -> list[Problem]:
        """Why the name that a NameError tells of may be missing: what binds it, or is needed for that, went wrong."""
        missing = MISSING.match(message)
        if missing is None:
            return []
        needed = slice_for(self.notebook.statements, [missing[1]])
        if found := [self.problems[each.position] for each in needed if each.position in self.problems]:
            return found
        spoiled = self.notebook.problem_with(missing[1])
        return [spoiled] if spoiled else []

    def _source_of(self, function: str) -> str:
        statement = defines(self.notebook.statements, function.partition(".")[0])
        return statement.source if statement else ""


def _exhausting(raised: Raised) -> bool:
    """Whether something has used up what its box may use: that takes long, and may go on."""
    return bool({"MemoryError", "WireError"} & set(raised.kinds)) or raised.message == NO_THREADS


def _place(raised: Raised) -> str:
    cell, line, _ = raised.lines[-1]
    return f"{cell}, line {line}"
