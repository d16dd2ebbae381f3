"""Boxes of both ways, and what is asked of them."""

import tempfile

import pytest

from autograder.sandbox import Box, Raised, Step, Way, forkserver
from coursekit.notebook import Statement


@pytest.fixture(params=[Way.NAMESPACES, Way.LANDLOCK], ids=lambda way: way.value)
def way(request):
    return request.param


@pytest.fixture
def box(way):
    with Box(way=way) as box:
        yield box


@pytest.fixture
def no_servers(monkeypatch, tmp_path):
    """A grader that has not started a box yet, and that has the folders of its boxes apart from those of others."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(forkserver, "_servers", {})
    yield
    forkserver._close()


@pytest.fixture
def statement():
    """Makes a statement of its source."""
    return lambda source: Statement(source, cell=1, line=1, position=0)


@pytest.fixture
def run(statement):
    """Executes a statement in a box; gives the name of the exception that it raised, or None."""

    def run(box, source):
        raised = box.execute(statement(source))
        return raised.kind if isinstance(raised, Raised) else None

    return run


@pytest.fixture
def ask(run):
    """Gives the value of an expression in a box."""

    def ask(box, source):
        assert run(box, f"def asked():\n    return {source}") is None
        [value] = box.perform([Step("call", "asked")])
        assert not isinstance(value, Raised), value
        return value

    return ask
