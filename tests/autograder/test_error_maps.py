"""Where an answer is wrong, as the report says it: by entry or by block, never by value."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.judging.error_maps import error_map
from coursekit.gradcheck import compare


def mapped(yours, expected):
    return error_map(compare("dx", yours, expected), yours, expected)


@pytest.fixture
def right():
    return np.random.default_rng(5).standard_normal((2, 3, 5))


def test_an_array_is_laid_out_as_numpy_prints_it_the_worst_over_its_first_axis(right):
    yours = right.copy()
    yours[0, 1] = 0
    yours[1, 2, 4] *= 1.001
    errors = mapped(yours, right)
    assert (errors.array, errors.shape) == ("dx", (2, 3, 5))
    assert errors.rows[0] == "....."
    assert set(errors.rows[1]) <= {"4", "5", "6"}
    assert errors.rows[2][:4] == "...."
    assert errors.rows[2][4] in "23"


def test_a_digit_is_the_power_of_ten_of_the_error_in_units_of_the_limit():
    """All entries off by the same: 3 millionths are 3 times the limit of 1e-6, 3 tenths 300 thousand times."""
    expected = np.ones(7)
    assert mapped(expected * (1 + 3e-6), expected).rows == ("0000000",)
    assert mapped(expected * (1 + 3e-1), expected).rows == ("5555555",)


def test_entries_that_are_no_finite_number_or_no_right_integer_have_no_size(right):
    yours = right.copy()
    yours[1, 0, 3] = np.nan
    yours[0, 2, 0] = np.inf
    assert mapped(yours, right).rows == ("...x.", ".....", "x....")
    words = np.arange(9)
    assert mapped(np.where(words == 4, 7, words), words).rows == ("....x....",)


@pytest.mark.parametrize("yours", [None, np.zeros((3, 2)), np.zeros((2, 3), dtype=np.int64), [[0.0] * 3] * 2])
def test_what_cannot_be_compared_has_no_map(yours):
    assert mapped(yours, np.ones((2, 3))) is None


def test_a_single_number_has_no_map():
    assert mapped(2.0, 1.0) is None
    assert mapped(np.ones(1), np.zeros(1)) is None


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 3), max_size=2),
    st.lists(st.integers(1, 60), min_size=1, max_size=2),
    st.integers(0, 1 << 30),
)
def test_a_map_is_small_and_a_single_wrong_entry_stands_in_its_block(batch, shape, seed):
    rng = np.random.default_rng(seed)
    shape = [*batch, *shape]
    right = rng.standard_normal(shape)
    if right.size < 2:
        return
    place = tuple(int(rng.integers(length)) for length in shape)
    yours = right.copy()
    yours[place] += 1
    errors = mapped(yours, right)
    assert len(errors.rows) <= 24
    assert {len(row) for row in errors.rows} == {len(errors.rows[0])}
    assert len(errors.rows[0]) <= 24
    height, width = (1, *shape)[-2:]
    row, column = (0, *place)[-2:]
    wrong = [(y, x) for y, line in enumerate(errors.rows) for x, sign in enumerate(line) if sign != "."]
    assert wrong == [(row // -(-height // 24), column // -(-width // 24))]


def test_a_gradient_that_is_not_carried_through_time_is_right_at_the_last_step_alone(student, graded):
    """As graded: the gradient by x, of shape (N, T, D), is right where nothing comes from a later step."""
    done = graded(student.change("rnn_backward", "dh[:, t] + dprev_h, cache", "dh[:, t], cache"))
    [test] = [test for test in done.questions["rnn_backward"].tests if test.name == "test_sequence_backward[dx]"]
    *before, last = test.error_map.rows
    assert set(last) == {"."}
    assert all("." not in row for row in before)
    assert test.error_map.shape[1] == len(test.error_map.rows)
