"""What one does to pictures between two steps: each tool against a case that can be told by hand."""

import numpy as np
import pytest

from coursekit.errors import InvalidInput
from coursekit.pixels import blur, clip, deprocess, jitter, preprocess, show, shrink

MEAN, SCALE = np.array([0.5, 0.4, 0.25], np.float32), np.array([0.25, 0.2, 0.5], np.float32)


class Model:
    mean, scale = MEAN, SCALE


def noise(*shape, dtype=np.float64):
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


def test_a_picture_comes_back_from_preprocessing():
    picture = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    X = preprocess(picture, MEAN, SCALE)
    assert X.shape == (1, 3, 5, 7)
    assert X.dtype == np.float32
    assert np.array_equal(deprocess(X, MEAN, SCALE), picture[np.newaxis])


def test_white_and_black_are_where_mean_and_scale_put_them():
    both = np.stack([np.zeros((2, 2, 3)), np.full((2, 2, 3), 255)]).astype(np.uint8)
    X = preprocess(both, MEAN, SCALE)
    assert X[0, :, 0, 0] == pytest.approx([-2, -2, -0.5])
    assert X[1, :, 0, 0] == pytest.approx([2, 3, 1.5])


def test_pictures_with_the_channels_first_are_refused():
    with pytest.raises(InvalidInput, match=r"\(N, H, W, 3\) is expected"):
        preprocess(np.zeros((3, 8, 8), np.uint8), MEAN, SCALE)


def test_clipping_stops_at_black_and_white_of_each_channel():
    clipped = clip(np.array([-9.0, 9.0]).reshape(1, 1, 1, 2).repeat(3, axis=1), Model)
    assert clipped[0, :, 0, 0] == pytest.approx([-2, -2, -0.5])
    assert clipped[0, :, 0, 1] == pytest.approx([2, 3, 1.5])
    within = noise(1, 3, 4, 4) * 0.1
    assert np.array_equal(clip(within, Model), within)


def test_jitter_moves_right_and_down_around_the_edges():
    X = np.zeros((1, 1, 3, 4))
    X[0, 0, 2, 1] = 1
    assert np.argwhere(jitter(X, 2, 1)[0, 0]).tolist() == [[0, 3]]


def test_jitter_is_undone_by_its_opposite():
    X = noise(2, 3, 5, 7)
    assert np.array_equal(jitter(jitter(X, 3, -2), -3, 2), X)


def test_a_blurred_point_is_a_gaussian():
    X = np.zeros((1, 1, 15, 15))
    X[0, 0, 7, 7] = 1
    line = np.exp(-0.5 * (np.arange(-7, 8) / 1.2) ** 2)
    line[np.abs(np.arange(-7, 8)) > 4] = 0  # it is cut off after three standard deviations
    line /= line.sum()
    assert blur(X, 1.2)[0, 0] == pytest.approx(np.outer(line, line))


def test_blur_leaves_one_colour_as_it_is_up_to_the_edges():
    X = np.full((1, 3, 4, 9), 0.7)
    assert blur(X, 2.0) == pytest.approx(X)


def test_blur_never_leaves_the_range_of_the_picture():
    X = noise(1, 3, 16, 16)
    blurred = blur(X)
    assert X.min() <= blurred.min()
    assert blurred.max() <= X.max()
    assert np.abs(np.diff(blurred)).mean() < 0.6 * np.abs(np.diff(X)).mean()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_tool_changes_its_argument_or_the_dtype(dtype):
    X = 3 * noise(2, 3, 6, 5, dtype=dtype)
    before = X.copy()
    for tool in (lambda x: clip(x, Model), lambda x: jitter(x, 1, 2), blur):
        assert tool(X).dtype == dtype
        assert tool(X).shape == X.shape
    assert np.array_equal(X, before)


def test_a_large_picture_shrinks_to_averages_of_squares():
    picture = np.zeros((5, 9, 3), np.uint8)
    picture[:2, :2] = [[[10, 0, 0], [20, 0, 0]], [[30, 0, 0], [40, 0, 255]]]
    small = shrink(picture, longest=5)
    assert small.shape == (2, 4, 3)
    assert small[0, 0].tolist() == [25, 0, 64]


def test_a_small_picture_keeps_its_size():
    picture = np.ones((7, 5, 3), np.uint8)
    assert shrink(picture, longest=7) is picture


def test_shown_are_all_pictures_side_by_side(monkeypatch):
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append([ax.images[0].get_array().shape for ax in plt.gcf().axes]))
    show(noise(2, 3, 6, 8), Model, "title")
    plt.close("all")
    assert shown == [[(6, 8, 3), (6, 8, 3)]]
