"""The source notebook keeps its form, runs from top to bottom, and its checks pass on its own solutions."""

import ast
from pathlib import Path

import matplotlib as mpl
import nbformat
import pytest

SOURCE = Path(__file__).parents[2] / "source" / "captioning"
POINTS = {
    "rnn_step_forward": 4,
    "rnn_step_backward": 8,
    "rnn_forward": 4,
    "rnn_backward": 8,
    "word_embedding_forward": 2,
    "word_embedding_backward": 4,
    "CaptioningRNN_loss": 10,
    "CaptioningRNN_sample": 6,
}


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(SOURCE / "rnn_captioning.ipynb", as_version=nbformat.NO_CONVERT)


def grade_cells(notebook, kind):
    cells = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    return {cell.metadata.nbgrader.grade_id: cell for cell in cells if cell.cell_type == kind}


def test_the_notebook_is_valid_and_holds_no_outputs(notebook):
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)


def test_there_are_eight_questions_and_four_written_answers_worth_fifty_points(notebook):
    automatic, written = grade_cells(notebook, "code"), grade_cells(notebook, "markdown")
    assert {name: cell.metadata.nbgrader.points for name, cell in automatic.items()} == POINTS
    assert list(automatic) == list(POINTS)
    assert [cell.metadata.nbgrader.points for cell in written.values()] == [1, 1, 1, 1]


def test_the_heading_of_an_exercise_says_its_points(notebook):
    headings = [line for cell in notebook.cells for line in cell.source.splitlines() if line.startswith("### Exercise")]
    assert [heading.partition("`")[2].replace(".", "_") for heading in headings] == [
        f"{name}` ({points} points)" for name, points in POINTS.items()
    ]


def test_every_check_is_one_line(notebook):
    for cell in grade_cells(notebook, "code").values():
        assert len(cell.source.splitlines()) == 1
        assert cell.metadata.nbgrader.locked


def test_every_solution_stands_in_a_cell_that_students_may_edit(notebook):
    for cell in notebook.cells:
        if "### BEGIN SOLUTION" in cell.source:
            assert cell.metadata.nbgrader.solution
            assert not cell.metadata.nbgrader.locked


def test_every_figure_exists(notebook):
    text = "\n".join(cell.source for cell in notebook.cells)
    figures = {path.name for path in (SOURCE / "figures").iterdir()}
    assert {name for name in figures if f"](figures/{name})" in text} == figures
    assert text.count("](figures/") == len(POINTS)


def test_nothing_is_imported_by_wildcard_and_no_magic_is_used(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            imports = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.ImportFrom)]
            assert not any(alias.name == "*" for node in imports for alias in node.names)


def test_it_runs_from_top_to_bottom_and_the_model_recites_its_captions(notebook, monkeypatch, capsys):
    mpl.use("Agg")
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: mpl.pyplot.close("all"))
    namespace = {"__name__": "__main__"}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, cell.id, "exec"), namespace)
    out = capsys.readouterr().out
    assert namespace["history"][-1] < 0.2
    assert out.count("right | ") == 12
    assert "wrong" not in out
