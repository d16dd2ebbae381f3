"""What a submission earns, and what its student hears."""

import json
import time
from collections import Counter
from dataclasses import replace

import pytest

from autograder import grading
from autograder.course import HOME
from autograder.judging.student import Allowance
from autograder.sandbox import POLICY, Box

QUESTIONS = {
    "rnn_step_forward": 4,
    "rnn_step_backward": 8,
    "rnn_forward": 4,
    "rnn_backward": 8,
    "word_embedding_forward": 2,
    "word_embedding_backward": 4,
    "CaptioningRNN.loss": 10,
    "CaptioningRNN.sample": 6,
}


def test_the_reference_earns_everything(student, graded):
    grade = graded(student)
    assert grade.points == QUESTIONS
    assert grade.notebook.status == "graded"
    assert not grade.notebook.problems
    assert all(question.judged_with == "own" for question in grade.questions.values())


@pytest.mark.parametrize("notebook", ["rnn_captioning", "lstm_captioning"])
def test_the_released_stub_earns_nothing_and_every_outcome_is_explained(graded, notebook):
    grade = graded((HOME / "assignments" / "captioning" / f"{notebook}.ipynb").read_bytes(), notebook)
    assert set(grade.points.values()) == {0}
    for name, question in grade.questions.items():
        for test in question.tests:
            assert test.outcome != "passed"
            assert "not written yet" in test.rationale + test.cause, name


def test_a_right_gradient_passes_where_the_loss_curves_so_much_that_the_numeric_one_is_off(student, graded):
    """With this seed, the numeric gradient of the loss by W_proj was off by eight times the limit."""
    assert graded(student, seed=260703136919119).lost == set()


def test_the_seed_of_a_report_repeats_the_grade_exactly(student, graded):
    student.change("rnn_step_backward", "prev_h.T @ da", "next_h.T @ da")
    first, again, other = (graded(student, seed=seed).questions for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_mistake_in_a_backward_pass_costs_the_gradients_that_are_wrong(student, graded):
    student.change("rnn_step_backward", "prev_h.T @ da", "next_h.T @ da")
    grade = graded(student)
    failed = {test.name for test in grade.questions["rnn_step_backward"].tests if test.outcome == "failed"}
    assert failed == {"test_step_backward[dWh]", "test_step_backward_at_the_edges"}
    assert grade.points["rnn_step_backward"] == pytest.approx(8 * 4 / 6, abs=0.01)


def test_a_message_says_what_is_wrong_where_and_what_to_try(student, graded):
    student.change("rnn_step_backward", "prev_h.T @ da", "next_h.T @ da")
    told = graded(student).told("rnn_step_backward").splitlines()
    assert told[0].startswith("dWh is wrong: relative error ")
    assert told[0].endswith(", limit 1e-06")
    assert told[1] == "  shape (3, 3) ok, float64 ok, all finite"
    assert told[2].startswith("  worst at [")
    assert ": yours " in told[2]
    assert ", numeric " in told[2]
    assert told[3] == "  this is what you get when next_h stands where prev_h belongs"
    assert told[4] == "What was Wh multiplied by on the way forward?"


def test_a_backward_pass_is_judged_against_the_students_own_forward_pass(student, graded):
    student.change("rnn_step_forward", "np.tanh(x @ Wx + prev_h @ Wh + b)", "np.tanh(x @ Wx + prev_h @ Wh - b)")
    student.change("rnn_step_backward", "db = da.sum(axis=0)", "db = -da.sum(axis=0)")
    grade = graded(student)
    assert grade.points["rnn_step_forward"] == 0
    assert grade.points["rnn_step_backward"] == 8
    assert grade.questions["rnn_step_backward"].judged_with == "follow-through"


def test_a_forward_pass_that_ignores_its_inputs_earns_its_backward_pass_nothing(student, graded):
    student.write(
        "rnn_step_forward", "def rnn_step_forward(x, prev_h, Wx, Wh, b):\n    return 0 * prev_h, (x, prev_h, Wx, Wh, b)"
    )
    student.write(
        "rnn_step_backward", "def rnn_step_backward(dnext_h, cache):\n    return tuple(0 * value for value in cache)"
    )
    grade = graded(student)
    assert grade.points["rnn_step_backward"] == 0
    assert "does not respond to x" in grade.told("rnn_step_backward")


def test_gradients_of_zero_under_a_loss_of_zero_earn_nothing(student, graded):
    student.write(
        "CaptioningRNN.loss",
        "class CaptioningRNN(CaptioningModel):\n"
        "    def loss(self, features, captions):\n"
        "        return 0.0, {name: 0 * value for name, value in self.params.items()}",
    )
    assert graded(student).points["CaptioningRNN.loss"] == 0


def test_beside_functions_that_hang_crash_eat_memory_or_print_without_end_the_right_one_earns_its_points(
    student, graded
):
    student.begin("rnn_step_forward", "while True: pass")
    student.begin("rnn_step_backward", "import ctypes; ctypes.string_at(0)")
    student.begin("rnn_forward", "x = [bytearray(1 << 31) for _ in range(100)]")
    student.begin("rnn_backward", "while True: print('x' * 1000)")
    student.begin("word_embedding_backward", "import os; os._exit(0)")
    student.begin("CaptioningRNN.loss", "raise KeyboardInterrupt")
    student.begin("CaptioningRNN.sample", "raise SystemExit(0)")
    started = time.monotonic()
    grade = graded(student)
    assert time.monotonic() - started < 60
    assert {name: points for name, points in grade.points.items() if points} == {"word_embedding_forward": 2}
    assert "rnn_step_forward did not come to an end within 3 s." in grade.told("rnn_step_forward")
    assert "rnn_step_forward has to work first." in grade.told("rnn_step_backward")
    assert "rnn_forward ran out of memory" in grade.told("rnn_forward")
    assert "rnn_forward has to work first." in grade.told("rnn_backward")
    assert "ended the interpreter" in grade.told("word_embedding_backward")
    assert "ends the program" in grade.told("CaptioningRNN.sample")


@pytest.mark.parametrize(
    "line",
    [
        "x = [bytearray(1 << 31)]",
        "return [[]] * (1 << 20)",
        "from threading import Event, Thread; [Thread(target=Event().wait).start() for _ in iter(int, 1)]",
    ],
)
def test_what_takes_long_to_go_wrong_is_called_once(student, graded, monkeypatch, line):
    asked = Counter()
    perform = Box.perform

    def counted(box, steps, lender=None):
        asked.update(step.name for step in steps)
        return perform(box, steps, lender)

    monkeypatch.setattr(Box, "perform", counted)
    grade = graded(student.begin("word_embedding_backward", line))
    assert asked["word_embedding_backward"] == 1
    told = {test.rationale for test in grade.questions["word_embedding_backward"].tests}
    assert len(told) == 1
    assert asked["word_embedding_forward"] > 1


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("import ctypes; ctypes.string_at(0)", "rnn_step_backward crashed the interpreter"),
        ("while True: print('x' * 1000)", "rnn_step_backward did not come to an end within 3 s."),
        ("return None", "rnn_step_backward should return dx, dprev_h, dWx, dWh, db, but returns None."),
        ("return 1, 2", "rnn_step_backward should return dx, dprev_h, dWx, dWh, db, but returns 2 things."),
        ("return [None] * 5", "dx is None, not a numpy array; is it computed and returned?"),
        ("return cache[:3]", "rnn_step_backward should return dx, dprev_h, dWx, dWh, db, but returns 3 things."),
        ("1 / 0", "rnn_step_backward raised ZeroDivisionError: division by zero (cell 20, line 15)."),
        ("import scipy", "No module named 'scipy'"),
        ("input()", "rnn_step_backward raised EOFError"),
        ("return np.zeros(10**8)", "rnn_step_backward returned more than can be taken."),
        ("return (i for i in iter(int, 1))", "but returns a generator"),
        ("x = xrange(3)", "xrange was Python 2's name for range"),
    ],
)
def test_a_function_that_goes_wrong_costs_its_own_question_and_says_why(student, graded, line, told):
    grade = graded(student.begin("rnn_step_backward", line))
    assert grade.points["rnn_step_backward"] == 0
    assert told in grade.told("rnn_step_backward")
    assert {"rnn_step_forward", "rnn_forward", "word_embedding_backward"} & grade.lost == set()


def test_a_missing_function_is_named_and_those_that_need_it_say_so(student, graded):
    student.cells.remove(student.cell("rnn_step_forward"))
    grade = graded(student)
    assert grade.told("rnn_step_forward").startswith("rnn_step_forward is not defined in rnn_captioning.ipynb.")
    assert "rnn_step_forward has to work first." in grade.told("rnn_step_backward")


# ----------------------------------------------------------------------------------- what becomes of notebooks


def test_a_notebook_cut_off_in_the_middle_is_unreadable_and_says_where(student, graded):
    grade = graded(student.text[: len(student.text) // 2])
    assert grade.notebook.status == "unreadable"
    assert grade.result.score == 0
    assert (
        "rnn_captioning is cut off: it ends in the middle of the notebook (line 1, column "
        in grade.notebook.problems[0]
    )
    assert all(test.cause for question in grade.questions.values() for test in question.tests)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff\xfe", b"null", b'{"cells": 3}', b"[" * 100_000])
def test_bytes_that_are_no_notebook_are_unreadable(graded, data):
    grade = graded(data)
    assert grade.notebook.status == "unreadable"
    assert grade.result.score == 0
    assert grade.notebook.problems[0]


def test_a_syntax_error_costs_what_stands_in_its_cell_and_names_cell_and_line(student, graded):
    student.begin("rnn_backward", "if x = 1:")
    grade = graded(student)
    cell = student.number("rnn_backward")
    assert grade.notebook.status == "partly"
    assert grade.notebook.problems[0].startswith(f"cell {cell}, line 15: ")
    assert f"cell {cell}, line 15" in grade.told("rnn_backward")
    assert grade.lost == {"rnn_backward"}


def test_duplicated_deleted_reordered_and_renamed_cells_are_graded_on_what_is_there(student, graded):
    student.cells.append(json.loads(json.dumps(student.cell("rnn_step_forward"))))  # a second definition, the last wins
    student.cells.remove(student.cell("word_embedding_forward"))
    student.cells.insert(1, student.cells.pop(student.number("rnn_backward") - 1))
    for number, cell in enumerate(student.cells):
        cell["id"] = "same"
        cell["metadata"] = {} if number % 2 else cell["metadata"]
    grade = graded(student)
    assert {"rnn_step_forward", "rnn_step_backward", "rnn_forward", "rnn_backward"} & grade.lost == set()
    assert grade.points["word_embedding_forward"] == 0


def test_a_renamed_notebook_is_known_by_what_it_defines(student, graded):
    student.file = "homework final (2).ipynb"
    assert graded(student).points == QUESTIONS


def test_magics_and_an_hour_of_training_cost_no_time(student, graded):
    student.add("%matplotlib inline\n!pip install something\n%load_ext autoreload", at=2)
    student.add("%%time\nimport time\nfor epoch in range(10**9):\n    loss = epoch\n    time.sleep(1)")
    student.add("%%bash\nsleep 3600")
    student.cell("rnn_forward")["source"] = "%%time\n" + "".join(student.cell("rnn_forward")["source"])
    started = time.monotonic()
    grade = graded(student)
    assert grade.points == QUESTIONS
    assert time.monotonic() - started < 10


def test_a_statement_that_is_needed_and_fails_is_named_with_its_cell_and_line(student, graded):
    student.add("SCALE = 1.0\nOFFSET = undefined_name", at=3)
    student.change("rnn_forward", "return np.stack(h, axis=1), cache", "return np.stack(h, axis=1) + OFFSET, cache")
    grade = graded(student)
    assert "cell 3, line 2: NameError: name 'undefined_name' is not defined" in grade.notebook.problems
    assert "NameError: name 'OFFSET' is not defined" in grade.told("rnn_forward")


def test_of_hundreds_of_statements_that_fail_some_are_told_and_the_rest_are_counted(student, graded):
    student.add("\n".join(f"TABLE_{n} = undefined_name" for n in range(300)), at=3)
    student.begin("rnn_forward", f"return {', '.join(f'TABLE_{n}' for n in range(300))}")
    grade = graded(student)
    assert grade.notebook.problems[19] == "cell 3, line 20: NameError: name 'undefined_name' is not defined"
    assert grade.notebook.problems[20:] == ("and 280 more",)
    [hint] = {test.hint for test in grade.questions["rnn_forward"].tests}
    assert hint == "cell 3, line 1: NameError: name 'undefined_name' is not defined"


def test_all_boxes_of_a_notebook_share_its_time(student, graded, monkeypatch):
    loaded = Counter()
    execute = Box.execute

    def counted(box, statement):
        loaded[statement.source] += 1
        return execute(box, statement)

    monkeypatch.setattr(Box, "execute", counted)
    monkeypatch.setattr(grading, "POLICY", replace(POLICY, notebook_seconds=1.5))
    student.add("import time\nslow = time.sleep(1)", at=3)
    for name in QUESTIONS:
        student.begin(name, "slow; raise ValueError" if "step" in name or "word" in name else "slow")
    graded(student)
    assert loaded["slow = time.sleep(1)"] <= 2


class Over(Allowance):
    """There is time for the first ``times`` that somebody looks, and then no more."""

    def __init__(self, times):
        super().__init__(60)
        self.times = times

    @property
    def left(self):
        self.times -= 1
        return max(self.times, 0)


@pytest.mark.parametrize("times", [0, 2], ids=["before", "while it is judged again"])
def test_when_time_is_over_what_was_judged_before_keeps_its_points_and_words(student, graded, monkeypatch, times):
    student.change("rnn_step_forward", "+ b)", "- b)")
    student.change("rnn_backward", "dWx + dWx_t", "dWx_t")
    judge_again = grading._Sitting.judge_again

    def too_late(sitting, paper):
        paper.allowance = Over(times)
        judge_again(sitting, paper)

    monkeypatch.setattr(grading._Sitting, "judge_again", too_late)
    grade = graded(student)
    assert grade.points["rnn_backward"] == pytest.approx(8 * 2 / 6, abs=0.01)
    assert grade.told("rnn_forward").startswith("h is wrong")
    told = [test.rationale or test.outcome for test in grade.questions["rnn_backward"].tests]
    used_up = "rnn_forward has to work first. rnn_forward was not called: the notebook had used up its 60 s."
    assert told == ["passed", "passed", "dWx is wrong.", *["not judged"] * 3]
    assert [test.cause for test in grade.questions["rnn_backward"].tests][3:] == [used_up] * 3


def test_a_statement_that_hangs_costs_only_what_needs_it(student, graded):
    student.add("import time\nslow = time.sleep(3600)", at=3)
    student.change("word_embedding_forward", "return W[x]", "slow\n    return W[x]")
    grade = graded(student)
    assert any("did not come to an end" in problem for problem in grade.notebook.problems)
    assert grade.lost == {"word_embedding_forward", "word_embedding_backward"}
