"""A question's result in the words that a student reads below their answer, as text and as HTML.

The HTML is shown in the instructor's browser and the student's, so whatever may have come from a student is escaped.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from autograder.outcomes import Outcome

if TYPE_CHECKING:
    from jinja2 import Template

    from autograder.outcomes import QuestionResult, TestResult

MARKS = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.NOT_JUDGED: "?"}
COLOURS = {Outcome.PASSED: "#1a7f37", Outcome.FAILED: "#cf222e", Outcome.NOT_JUDGED: "#9a6700"}

LEAD = "A small case of it, to paste into a cell:"
"""What stands before the smallest case."""

TEMPLATE = """\
<p style="margin:0"><b>{{ question.question }}: {{ head }}</b></p>
{% for test in question.tests -%}
<div style="margin:0.3em 0 0 0">
<span style="color:{{ colours[test.outcome] }};font-weight:bold">{{ marks[test.outcome] }}</span> {{ test.title }}
{%- if told(test) %}<pre style="margin:0.2em 0 0.2em 1.4em;white-space:pre-wrap">{{ told(test) }}</pre>{% endif %}
{%- if test.example %}<div style="margin-left:1.4em">{{ lead }}</div>
<pre style="margin:0.2em 0 0.2em 1.4em">{{ test.example }}</pre>{% endif %}
{%- if test.hint %}<div style="margin-left:1.4em">→ {{ test.hint }}</div>{% endif %}
</div>
{% endfor -%}
{% for remark in question.remarks -%}
<div style="margin-top:0.3em;opacity:0.7">{{ remark }}</div>
{% endfor -%}
"""


def as_text(question: QuestionResult) -> str:
    """For a terminal, and for whatever shows no HTML."""
    lines = [f"{question.question}: {_head(question)}"]
    for test in question.tests:
        lines.append(f"{MARKS[test.outcome]} {test.title}")
        lines += [f"    {line}" for line in said_of(test).splitlines()]
    return "\n".join(lines + question.remarks)


def said_of(test: TestResult) -> str:
    """What is wrong, a small case of it, and what to try; nothing if it was passed without a remark."""
    example = [LEAD, "", *test.example.splitlines(), ""] if test.example else []
    return "\n".join([*_told(test).splitlines(), *example, *([f"→ {test.hint}"] if test.hint else [])])


def as_html(question: QuestionResult) -> str:
    """A fragment of HTML with its styles in it; the page around is not ours."""
    return _template().render(
        question=question, head=_head(question), told=_told, marks=MARKS, colours=COLOURS, lead=LEAD
    )


def _head(question: QuestionResult) -> str:
    points = f"{question.points:g} of {question.max_points:g} points"
    extra = " of extra credit" if question.extra_credit else ""
    how = f", {question.how}" if question.outcome is Outcome.PASSED else ""
    return f"{points}{extra}{how}"


def _told(test: TestResult) -> str:
    return test.rationale or test.cause


@cache
def _template() -> Template:
    from jinja2 import Environment  # here, since a grade in the terminal does without

    return Environment(autoescape=True).from_string(TEMPLATE)
