"""The network that reads off a picture's features what captions speak of."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from coursekit.errors import InvalidInput
from coursekit.scenes import COLOURS, SHAPES, Background, Scene, Thing, draw_all, random_scene
from coursekit.scenes.reader import BACKGROUND_WORDS, OBJECT_WORDS, SceneReader, right_answers

NETWORKS = Path(__file__).parents[2] / "datasets"


@pytest.fixture(scope="module")
def reader():
    return SceneReader.load(NETWORKS)


def test_the_right_answers_name_each_object_in_its_place_and_the_background():
    star = Thing("star", "red", "plain", "big", 15.0, 30.0, 14.0, 0.0)
    ring = Thing("ring", "blue", "dotted", "small", 45.0, 30.0, 8.0, 0.0)
    scene = Scene(Background("grainy", "white"), (star, ring), 0)
    [answers] = right_answers([scene])
    objects = answers[: 3 * len(OBJECT_WORDS)].reshape(3, -1)
    said = [{word for word, yes in zip(OBJECT_WORDS, row, strict=True) if yes} for row in objects]
    assert said == [{"star", "red", "plain", "big"}, {"ring", "blue", "dotted", "small"}, set()]
    behind = answers[3 * len(OBJECT_WORDS) :]
    assert {word for word, yes in zip(BACKGROUND_WORDS, behind, strict=True) if yes} == {"grainy", "white"}


def test_objects_stand_from_left_to_right():
    for seed in range(50):
        things = random_scene(np.random.default_rng(seed)).things
        assert [thing.x for thing in things] == sorted(thing.x for thing in things)


def test_single_objects_are_nearly_always_named_right(reader):
    """New pictures: their seeds are used nowhere else."""
    scenes = [random_scene(np.random.default_rng([77, number]), 1) for number in range(200)]
    answers, right = reader.answers(draw_all(scenes)), right_answers(scenes)
    assert answers.shape == (200, 85)
    assert np.all(np.abs(answers) <= 1)
    for first, names in ((0, SHAPES), (len(SHAPES), COLOURS)):
        part = slice(first, first + len(names))
        assert np.mean(answers[:, part].argmax(axis=1) == right[:, part].argmax(axis=1)) > 0.9


def test_what_was_saved_is_loaded(reader, tmp_path):
    shutil.copy(NETWORKS / "scenes_cnn.weights.h5", tmp_path)
    reader.save(tmp_path / "scenes_reader.weights.h5", {"shape": 0.5})
    again = SceneReader.load(tmp_path)
    assert again.about == {"shape": 0.5}
    assert all(np.array_equal(again.params[name], value) for name, value in reader.params.items())


def spoilt(path, how):
    if how == "gone":
        path.unlink()
    elif how == "cut off":
        path.write_bytes(path.read_bytes()[:5000])
    else:
        with h5py.File(path, "w") as h5:
            h5.attrs["format"] = "something else"


@pytest.mark.parametrize("how", ["gone", "cut off", "another file"])
@pytest.mark.parametrize("file", ["scenes_reader.weights.h5", "scenes_cnn.weights.h5"])
def test_a_file_that_is_not_there_or_damaged_is_named(tmp_path, file, how):
    for name in ("scenes_reader.weights.h5", "scenes_cnn.weights.h5"):
        shutil.copy(NETWORKS / name, tmp_path)
    spoilt(tmp_path / file, how)
    with pytest.raises(InvalidInput, match=file.replace(".", r"\.")):
        SceneReader.load(tmp_path)
