"""What students are shown: made by nbgrader, equal to what is checked in, and giving nothing away."""

import json
import re
import shutil

import nbformat
import pytest

from autograder.course import HOME, assignment_names, load_assignment
from autograder.errors import ReleaseError
from autograder.releasing.leaks import find_leaks
from autograder.releasing.release import release


def cells(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    folder = tmp_path_factory.mktemp("released")
    return {name: release(load_assignment(name, HOME), HOME, folder) for name in assignment_names(HOME)}


@pytest.mark.parametrize("name", assignment_names(HOME))
def test_what_is_checked_in_is_what_nbgrader_makes_of_the_source(released, name):
    made = contents(released[name].folder)
    kept = contents(HOME / "assignments" / name)
    assert made.keys() == kept.keys()
    assert made == kept, f"run: autograder release {name}"


@pytest.mark.parametrize("name", assignment_names(HOME))
def test_what_is_checked_in_gives_nothing_away(name):
    assert find_leaks(load_assignment(name, HOME), HOME / "assignments" / name) == []


@pytest.mark.parametrize("name", assignment_names(HOME))
def test_a_released_notebook_is_valid_has_no_outputs_and_never_speaks_of_the_grader(name):
    for assigned in load_assignment(name, HOME).notebooks:
        path = HOME / "assignments" / name / f"{assigned.name}.ipynb"
        nbformat.validate(nbformat.read(path, as_version=4))
        text = "\n".join("".join(cell["source"]) for cell in cells(path))
        assert not [word for word in ("SOLUTION", "autograder", "suites", "misconception") if word in text]
        assert all(not cell.get("outputs") for cell in cells(path))


@pytest.mark.parametrize("name", assignment_names(HOME))
def test_every_graded_cell_is_locked_and_its_points_are_the_source_s(name):
    for assigned in load_assignment(name, HOME).notebooks:
        metadata = [
            cell["metadata"]
            for cell in cells(HOME / "assignments" / name / f"{assigned.name}.ipynb")
            if cell["metadata"].get("nbgrader", {}).get("grade") and not cell["metadata"]["nbgrader"]["solution"]
        ]
        found = [
            (
                data["nbgrader"]["grade_id"],
                data["nbgrader"]["points"],
                data.get("autograder", {}).get("extra_credit", 0),
            )
            for data in metadata
        ]
        assert found == [
            (question.grade_id, *((0, question.points) if question.extra_credit else (question.points, 0)))
            for question in assigned.questions
        ]
        assert all(data["nbgrader"]["locked"] for data in metadata)


def course_copy(tmp_path):
    for name in ("source", "assignments"):
        shutil.copytree(HOME / name, tmp_path / name)
    shutil.copy(HOME / "nbgrader_config.py", tmp_path)
    return tmp_path


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_solution_outside_of_its_markers_stops_the_release_and_changes_nothing(tmp_path):
    course = course_copy(tmp_path)
    (course / "bundles").mkdir()
    (course / "bundles" / "captioning.zip").write_bytes(b"the former one")
    notebook = course / "source" / "captioning" / "rnn_captioning.ipynb"
    content = json.loads(notebook.read_text())
    text = "Hint:\n\n    state = np.tanh((inputs @ A) +\n        (state @ B) + c)"
    content["cells"].append({"cell_type": "markdown", "id": "leak", "metadata": {}, "source": text})
    notebook.write_text(json.dumps(content))
    before = contents(course)
    with pytest.raises(ReleaseError, match="would give away") as caught:
        release(load_assignment("captioning", course), course)
    place = f"assignments/captioning/rnn_captioning.ipynb, cell {len(content['cells'])}, line 3"
    assert f"{place}: state = np.tanh((inputs @ A) +" in str(caught.value)
    assert "code of the answer in rnn_captioning.ipynb, cell 12, under other names" in str(caught.value)
    assert "### BEGIN SOLUTION" in caught.value.fix
    assert contents(course) == before


def test_an_assignment_is_not_released_with_a_module_that_answers_its_questions(tmp_path):
    course = course_copy(tmp_path)
    given = "from coursekit.check import check_layer, check_model, check_values"
    notebook = course / "source" / "backprop" / "backprop.ipynb"
    edit(notebook, given, f"{given}\\nfrom coursekit.layers import temporal_softmax_loss")
    before = contents(course)
    with pytest.raises(ReleaseError, match="would give away") as caught:
        release(load_assignment("backprop", course), course)
    assert re.search(
        r"coursekit/layers.py, line \d+: affine_backward\n.* called like the question Affine", str(caught.value)
    )
    assert contents(course) == before


def test_what_nbgrader_refuses_is_told_with_its_own_reason(tmp_path):
    course = course_copy(tmp_path)
    notebook = course / "source" / "captioning" / "rnn_captioning.ipynb"
    edit(notebook, '"grade_id": "rnn_step_forward_case"', '"grade_id": "rnn_step_forward"')
    with pytest.raises(ReleaseError, match=r"nbgrader could not generate captioning: .*rnn_step_forward"):
        release(load_assignment("captioning", course), course)
