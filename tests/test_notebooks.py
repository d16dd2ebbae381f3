"""The form that every source notebook keeps."""

import ast

import nbformat
import pytest

from autograder.course import HOME

NOTEBOOKS = sorted((HOME / "source").glob("*/*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=nbformat.NO_CONVERT)


def test_a_notebook_is_valid_and_holds_no_outputs(notebook):
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)


def test_every_check_is_one_locked_line(notebook):
    checks = [
        cell for cell in notebook.cells if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade")
    ]
    assert checks
    for cell in checks:
        assert len(cell.source.splitlines()) == 1
        assert cell.metadata.nbgrader.locked


def test_every_solution_stands_in_a_cell_that_students_may_edit(notebook):
    solutions = [cell for cell in notebook.cells if "### BEGIN SOLUTION" in cell.source]
    assert solutions
    for cell in solutions:
        assert cell.metadata.nbgrader.solution
        assert not cell.metadata.nbgrader.locked


def test_nothing_is_imported_by_wildcard_and_no_magic_and_no_lambda_is_used(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            nodes = list(ast.walk(ast.parse(cell.source)))
            imports = [node for node in nodes if isinstance(node, ast.ImportFrom)]
            assert not any(alias.name == "*" for node in imports for alias in node.names)
            assert not any(isinstance(node, ast.Lambda) for node in nodes)
