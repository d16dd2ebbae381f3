"""The notebooks that formgrader and feedback show, whatever was handed in."""

import copy
import json
import random

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbgrader.nbgraderformat import MetadataValidator
from nbgrader.utils import compute_checksum, determine_grade

from autograder import outcomes
from autograder.course import HOME, load_assignment
from autograder.gradebook.autograded import rebuilt, released_notebook, with_results
from autograder.grading import Submission, grade
from autograder.outcomes import NotebookResult, Outcome, QuestionResult, Status
from coursekit.errors import NotebookUnreadable
from coursekit.notebook import read_notebook

RELEASED = released_notebook(HOME / "assignments" / "captioning", "rnn_captioning")
ASSIGNED = next(each for each in load_assignment("captioning", HOME).notebooks if each.name == "rnn_captioning")
GRADED = [question.grade_id for question in ASSIGNED.questions]
WRITTEN = [
    cell["metadata"]["nbgrader"]["grade_id"]
    for cell in RELEASED["cells"]
    if cell["metadata"].get("nbgrader", {}).get("grade") and cell["metadata"]["nbgrader"]["solution"]
]


def handed_in(cells, **content):
    data = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **content}
    return read_notebook(json.dumps(data).encode(), "mine")


def cells():
    return copy.deepcopy(RELEASED["cells"])


def graded_as(points, outcome=Outcome.FAILED, **told):
    """A result of the notebook in which each question has so many points."""
    test = outcomes.TestResult("test", "A title.", 1.0, outcome, **told)
    questions = tuple(QuestionResult(q.name, points, q.points, False, "own", (test,)) for q in ASSIGNED.questions)
    return NotebookResult("rnn_captioning", Status.GRADED, 1, (), questions)


def made(notebook, result=None):
    """The autograded notebook, seen to be one that nbgrader can work with."""
    content = rebuilt(RELEASED, notebook)
    with_results(content, ASSIGNED, result or graded_as(0.5))
    node = nbformat.from_dict(json.loads(json.dumps(content)))
    nbformat.validate(node)
    MetadataValidator().validate_nb(node)
    return {cell.metadata.nbgrader.grade_id: cell for cell in node.cells if cell.metadata.get("nbgrader")}, node


def index(grade_id, listed):
    [place] = [at for at, cell in enumerate(listed) if cell["metadata"].get("nbgrader", {}).get("grade_id") == grade_id]
    return place


def test_every_graded_cell_has_exactly_the_points_of_its_question():
    for points in (0.0, 1.33, 2.0):
        found, _ = made(handed_in(cells()), graded_as(points))
        assert [determine_grade(found[grade_id])[0] for grade_id in GRADED] == [points] * len(GRADED)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_whatever_is_done_to_the_cells_each_graded_cell_is_there_once_with_its_points(seed):
    draw = random.Random(seed)
    mine = cells()
    for _ in range(draw.randrange(12)):
        at = draw.randrange(len(mine))
        how = draw.randrange(8) if isinstance(mine[at], dict) and mine[at].get("metadata") else 7
        if how == 0:
            del mine[at]
        elif how == 1:
            mine.insert(draw.randrange(len(mine)), copy.deepcopy(mine[at]))
        elif how == 2:
            draw.shuffle(mine)
        elif how == 3:
            mine[at]["metadata"]["nbgrader"] = draw.choice(
                [None, [], "grade", {"grade_id": 7}, {"grade_id": GRADED[0]}]
            )
        elif how == 4:
            mine[at]["metadata"] = draw.choice([None, [1], {}])
        elif how == 5:
            mine[at]["cell_type"] = draw.choice(["raw", "markdown", "code", "heading", 3])
        elif how == 6:
            mine[at]["source"] = draw.choice(["", ["a\n", "b"], None, "x" * 10, "\ud800"])
        else:
            mine[at] = draw.choice([{}, None, 7, {"cell_type": "code"}])
        mine = mine or cells()[:1]
    found, node = made(handed_in(mine))
    assert set(GRADED + WRITTEN) <= found.keys()
    assert [determine_grade(found[grade_id])[0] for grade_id in GRADED] == [0.5] * len(GRADED)
    known = [cell for cell in node.cells if cell.metadata.get("nbgrader")]
    assert len(known) == len(found)


def test_of_a_cell_that_is_there_twice_the_last_is_the_answer_and_the_other_stays_as_text():
    mine = cells()
    at = index(WRITTEN[0], mine)
    mine.insert(at, {**mine[at], "source": "the first", "id": "a"})
    mine[at + 1]["source"] = "the second"
    found, node = made(handed_in(mine))
    assert found[WRITTEN[0]].source == "the second"
    assert node.cells[at].source == "the first"
    assert "nbgrader" not in node.cells[at].metadata


def test_a_graded_cell_that_was_deleted_comes_back_behind_the_one_it_followed():
    mine = cells()
    del mine[index(GRADED[2], mine)]
    _, node = made(handed_in(mine))
    order = [cell.metadata.nbgrader.grade_id for cell in node.cells if cell.metadata.get("nbgrader")]
    assert order == [cell["metadata"]["nbgrader"]["grade_id"] for cell in cells() if cell["metadata"].get("nbgrader")]


def test_a_written_answer_that_was_deleted_comes_back_unanswered():
    mine = cells()
    del mine[index(WRITTEN[0], mine)]
    found, _ = made(handed_in(mine))
    assert determine_grade(found[WRITTEN[0]])[0] == 0
    assert found[WRITTEN[0]].metadata.nbgrader.checksum == compute_checksum(found[WRITTEN[0]])


def test_an_answer_whose_metadata_is_lost_is_known_by_its_id():
    mine = cells()
    mine[index(WRITTEN[0], mine)] |= {"metadata": {}, "source": "Because."}
    found, _ = made(handed_in(mine))
    assert found[WRITTEN[0]].source == "Because."
    assert determine_grade(found[WRITTEN[0]])[0] is None  # to be graded by hand


def test_what_is_locked_has_its_own_text_and_points_again():
    mine = cells()
    at = index(GRADED[0], mine)
    mine[at]["source"] = "print('all right')"
    mine[at]["metadata"]["nbgrader"]["points"] = 1000
    found, _ = made(handed_in(mine))
    assert found[GRADED[0]].source == RELEASED["cells"][at]["source"]
    assert found[GRADED[0]].metadata.nbgrader.points == ASSIGNED.questions[0].points


def test_the_student_s_outputs_are_not_shown_for_they_could_be_anything():
    mine = cells()
    for cell in mine:
        if cell["cell_type"] == "code":
            cell["outputs"] = [{"output_type": "execute_result", "data": {"text/plain": "8"}, "metadata": {}}]
    mine.append({"cell_type": "code", "metadata": {}, "source": "1", "outputs": [{"output_type": "error"}]})
    found, node = made(handed_in(mine), graded_as(0.0))
    assert all(determine_grade(found[grade_id])[0] == 0 for grade_id in GRADED)
    assert all(not cell.outputs for cell in node.cells if cell.cell_type == "code" and cell not in found.values())


def test_a_notebook_that_cannot_be_read_is_the_frame_with_the_reason_and_no_points():
    told = {"cause": "rnn_captioning is cut off", "hint": "hand it in again"}
    found, node = made(NotebookUnreadable("cut off", "again"), graded_as(0.0, Outcome.NOT_JUDGED, **told))
    assert determine_grade(found[GRADED[0]])[0] == 0
    assert "is cut off" in found[GRADED[0]].outputs[0].data["text/plain"]
    assert len(node.cells) == len(RELEASED["cells"])


def test_a_notebook_of_an_old_format_is_shown_with_its_code():
    old = [{"cell_type": "code", "input": "x = 1", "language": "python", "outputs": []}]
    content = {"worksheets": [{"cells": old}], "metadata": {}, "nbformat": 3, "nbformat_minor": 0}
    found, node = made(read_notebook(json.dumps(content).encode(), "old"))
    assert "x = 1" in [cell.source for cell in node.cells]
    assert set(GRADED) <= found.keys()


def test_problems_stand_above_all_else():
    result = graded_as(1.0)
    result = NotebookResult(result.notebook, Status.PARTLY, 1, ("cell 7, line 3: not valid Python",), result.questions)
    _, node = made(handed_in(cells()), result)
    assert "    cell 7, line 3: not valid Python" in node.cells[0].source


def test_what_a_student_wrote_is_escaped_in_the_table_that_is_shown():
    told = {"rationale": "<script>alert(1)</script> & <b>", "hint": "<i>"}
    found, _ = made(handed_in(cells()), graded_as(0.0, **told))
    shown = found[GRADED[0]].outputs[0].data["text/html"]
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &lt;b&gt;" in shown
    assert "<script" not in shown
    assert "<i>" not in shown


def test_an_attachment_is_shown_only_if_it_is_a_picture():
    mine = cells()
    at = index(WRITTEN[0], mine)
    mine[at]["attachments"] = {
        "ok.png": {"image/png": "aGFsbG8="},
        "page": {"text/html": "aGFsbG8="},
        "quote.png": {"image/png": '"><script>'},
        "odd": 7,
    }
    found, _ = made(handed_in(mine))
    assert found[WRITTEN[0]].attachments == {"ok.png": {"image/png": "aGFsbG8="}}


def test_neither_hidden_tests_nor_the_reference_are_shown(student):
    student.change("rnn_step_backward", "prev_h", "x").begin("rnn_forward", "raise ValueError('no')")
    assignment = load_assignment("captioning", HOME)
    result = grade(assignment, Submission("ada", student.files), seed=3)
    content = rebuilt(RELEASED, NotebookUnreadable("", ""))
    with_results(content, ASSIGNED, next(each for each in result.notebooks if each.notebook == "rnn_captioning"))
    text = json.dumps([cell.get("outputs") for cell in content["cells"]])
    solutions = [cell.source for cell in ASSIGNED.source.cells if "BEGIN SOLUTION" in cell.source]
    lines = {line.strip() for source in solutions for line in source.split("### BEGIN SOLUTION")[1].splitlines()}
    assert not [line for line in lines if len(line) > 12 and line in text]
    for word in ("judge", "test_", "Traceback", "autograder", "suites"):
        assert word not in text


@pytest.mark.parametrize("name", ["captioning", "backprop", "visualization"])
def test_a_release_gives_every_question_a_cell(name):
    for assigned in load_assignment(name, HOME).notebooks:
        released = released_notebook(HOME / "assignments" / name, assigned.name)
        known = {cell["metadata"].get("nbgrader", {}).get("grade_id") for cell in released["cells"]}
        assert {question.grade_id for question in assigned.questions} <= known
