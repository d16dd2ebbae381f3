"""The network of templates: its scores, its gradients, and what it refuses."""

import numpy as np
import pytest

from coursekit.errors import InvalidInput
from coursekit.gradcheck import compare, numeric_gradients
from coursekit.templates import TemplateNetwork

RNG = np.random.default_rng(0)
TEMPLATES = RNG.standard_normal((4, 3, 2, 5))


def test_a_score_is_the_product_with_a_template():
    X = RNG.standard_normal((3, 3, 2, 5))
    scores, _ = TemplateNetwork(TEMPLATES).forward(X)
    assert scores.shape == (3, 4)
    assert scores[2, 1] == pytest.approx(np.sum(TEMPLATES[1] * X[2]))


def test_the_gradient_is_the_numeric_one():
    model, X, dout = TemplateNetwork(TEMPLATES), RNG.standard_normal((2, 3, 2, 5)), RNG.standard_normal((2, 4))
    numeric = numeric_gradients(lambda batch: [(model.forward(each["X"])[0],) for each in batch], {"X": X}, [dout], "X")
    dX, grads = model.backward(dout, model.forward(X, end="scores")[1])
    assert compare("dX", dX, numeric["X"]).passed
    assert grads == {}


def test_it_computes_in_the_dtype_of_the_picture():
    model = TemplateNetwork(TEMPLATES)
    scores, cache = model.forward(np.zeros((1, 3, 2, 5), np.float32))
    assert scores.dtype == model.backward(scores, cache)[0].dtype == np.float32


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda model: model.forward(np.zeros((1, 3, 5, 2))), r"\(N, 3, 2, 5\) is taken"),
        (lambda model: model.forward(np.zeros((1, 3, 2, 5)), end="relu1"), "no layer 'relu1'"),
        (lambda model: model.backward(np.zeros((2, 4)), 1), r"the scores are \(1, 4\)"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(call, words):
    with pytest.raises(InvalidInput, match=words):
        call(TemplateNetwork(TEMPLATES))


def test_its_pictures_go_from_minus_two_to_two():
    model = TemplateNetwork(TEMPLATES)
    picture = np.array([[[0, 128, 255]]], np.uint8)
    X = model.preprocess(picture)
    assert X[0, :, 0, 0] == pytest.approx([-2, 0.0078, 2], abs=1e-3)
    assert np.array_equal(model.deprocess(X), picture[np.newaxis])
