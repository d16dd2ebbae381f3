"""What every model's loss is asked, beside what it computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from autograder.judging.answers import Thing
from autograder.judging.calling import instance
from autograder.judging.verdicts import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autograder.judging.calling import Model
    from autograder.judging.judge import Judge


def must_leave_params(
    judge: Judge, model: Model, params: Mapping[str, np.ndarray], arguments: Sequence[np.ndarray]
) -> None:
    """Raise Failure if the student's loss moves the parameters, which does not show when it is asked once for each."""
    thing = instance(judge.student, model.name, **model.options)
    thing.set("params", dict(params))
    thing.call("loss", *arguments)
    kept = thing.get("params")
    now = kept.fetch() if isinstance(kept, Thing) else kept
    for name, before in params.items():
        if not (isinstance(now, dict) and name in now and np.array_equal(now[name], before)):
            raise Failure(
                f"After a call of {model.loss}, self.params[{name!r}] is not what it was before.",
                "Called twice on the same minibatch, what should the loss be the second time?",
            )
