import pickle

import pytest

from coursekit.errors import CheckFailed, CoursekitError, InvalidInput


@pytest.mark.parametrize(("kind", "builtin"), [(CheckFailed, AssertionError), (InvalidInput, ValueError)])
def test_every_error_is_ours_and_one_that_python_knows(kind, builtin):
    assert issubclass(kind, CoursekitError)
    assert issubclass(kind, builtin)


@pytest.mark.parametrize("kind", [CoursekitError, CheckFailed, InvalidInput])
def test_errors_survive_pickling(kind):
    copy = pickle.loads(pickle.dumps(kind("dWh is wrong")))
    assert type(copy) is kind
    assert str(copy) == "dWh is wrong"


def test_jupyter_shows_a_failed_check_in_one_line():
    assert CheckFailed("look at dWh.")._render_traceback_() == ["CheckFailed: look at dWh."]
