"""The given layers, by numeric gradients and by values that one can compute in one's head."""

import numpy as np
import pytest

from coursekit.gradcheck import compare, numeric_gradients
from coursekit.layers import (
    affine_backward,
    affine_forward,
    temporal_affine_backward,
    temporal_affine_forward,
    temporal_softmax_loss,
)


@pytest.mark.parametrize(
    ("forward", "backward", "shape"),
    [
        (affine_forward, affine_backward, (3, 5)),
        (affine_forward, affine_backward, (3, 5, 1)),
        (temporal_affine_forward, temporal_affine_backward, (3, 4, 5)),
    ],
)
def test_the_backward_pass_is_the_gradient_of_the_forward_pass(forward, backward, shape):
    rng = np.random.default_rng(0)
    inputs = {"x": rng.standard_normal(shape), "w": rng.standard_normal((5, 7)), "b": rng.standard_normal(7)}
    out, cache = forward(**inputs)
    upstream = rng.standard_normal(out.shape)
    numeric = numeric_gradients(lambda batch: [forward(**each)[:1] for each in batch], inputs, [upstream], inputs)
    for (name, right), gradient in zip(numeric.items(), backward(upstream, cache), strict=True):
        assert compare(f"d{name}", gradient, right, against="numeric").passed


def softmax_case():
    rng = np.random.default_rng(1)
    return rng.standard_normal((3, 4, 6)), rng.integers(0, 6, (3, 4)), rng.random((3, 4)) < 0.6


def test_the_softmax_loss_has_the_gradient_it_says():
    scores, y, mask = softmax_case()
    _, dscores = temporal_softmax_loss(scores, y, mask)
    numeric = numeric_gradients(
        lambda batch: [(temporal_softmax_loss(each["x"], y, mask)[0],) for each in batch],
        {"x": scores},
        [1.0],
        ["x"],
    )
    assert compare("dx", dscores, numeric["x"], against="numeric").passed


def test_equal_scores_cost_log_v_at_every_step_summed_over_time_and_averaged_over_the_minibatch():
    loss, _ = temporal_softmax_loss(np.zeros((5, 7, 11)), np.zeros((5, 7), int), np.ones((5, 7), bool))
    assert loss == pytest.approx(7 * np.log(11))


def test_what_is_masked_costs_nothing_and_has_no_gradient():
    scores, y, mask = softmax_case()
    loss, dscores = temporal_softmax_loss(scores, y, mask)
    scores[~mask] += 100
    y[~mask] = 0
    again, _ = temporal_softmax_loss(scores, y, mask)
    assert again == pytest.approx(loss)
    assert not dscores[~mask].any()
    assert dscores[mask].all()
    assert temporal_softmax_loss(scores, y, np.zeros_like(mask))[0] == 0


def test_huge_scores_neither_overflow_nor_lose_the_loss():
    scores = np.array([[[1e4, 0.0], [0.0, 1e4]]])
    loss, dscores = temporal_softmax_loss(scores, np.zeros((1, 2), int), np.ones((1, 2), bool))
    assert loss == 1e4
    np.testing.assert_array_equal(dscores, [[[0, 0], [-1, 1]]])


def test_float32_stays_float32():
    x, w, b = np.ones((2, 3, 4), np.float32), np.ones((4, 5), np.float32), np.ones(5, np.float32)
    out, cache = temporal_affine_forward(x, w, b)
    gradients = temporal_affine_backward(out, cache)
    _, dscores = temporal_softmax_loss(out, np.zeros((2, 3), int), np.ones((2, 3), bool))
    assert {array.dtype.name for array in (out, dscores, *gradients)} == {"float32"}


def test_no_layer_changes_what_it_is_given():
    scores, y, mask = softmax_case()
    x, w, b = np.ones((2, 3, 6)), np.ones((6, 5)), np.ones(5)
    before = [array.copy() for array in (scores, y, mask, x, w, b)]
    temporal_softmax_loss(scores, y, mask)
    out, cache = temporal_affine_forward(x, w, b)
    temporal_affine_backward(out, cache)
    for array, copy in zip((scores, y, mask, x, w, b), before, strict=True):
        np.testing.assert_array_equal(array, copy)
