"""Continuous integration: what was judged on a push, for people (Markdown, text) and machines (JUnit, annotations).

``python -m coursekit.ci`` runs the visible checks of notebooks, in the repository of whoever writes them. What grades
with more than these says it by the same means: it makes a :class:`Run` and calls :func:`tell`.
"""

from coursekit.ci.lines import Lines
from coursekit.ci.telling import BELOW, Threshold, tell
from coursekit.ci.verdicts import FAILED, NOT_JUDGED, PASSED, Checked, Question, Run, Verdict

__all__ = [
    "BELOW",
    "FAILED",
    "NOT_JUDGED",
    "PASSED",
    "Checked",
    "Lines",
    "Question",
    "Run",
    "Threshold",
    "Verdict",
    "tell",
]
