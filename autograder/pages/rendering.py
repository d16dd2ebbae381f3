"""Fill in a template. What is filled in is text: it is escaped, and what would move or mirror text is replaced."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from autograder.sandbox.box import clean


def render(template: str, **values: Any) -> str:
    """The page that ``templates/TEMPLATE.html.j2`` makes of ``values``."""
    return _environment().get_template(f"{template}.html.j2").render(values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("autograder.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_plain,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = lambda value: f"{value:.2f}".rstrip("0").rstrip(".")
    environment.filters["percent"] = lambda share: f"{100 * share:.0f} %"
    return environment


def _plain(value: Any) -> Any:
    """Text without control characters and marks of direction; what is HTML of our own as it is."""
    return clean(value, len(value)) if isinstance(value, str) and not isinstance(value, Markup) else value
