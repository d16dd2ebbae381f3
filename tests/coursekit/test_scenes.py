"""Scenes: pictures and captions repeat exactly, every caption is true, and the judge tells true from false."""

import json
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import imageio.v3 as iio
import numpy as np
import pytest

from coursekit.data import decode_captions, load_captions
from coursekit.errors import DatasetUnusable, InvalidInput
from coursekit.pretrained import PretrainedCNN
from coursekit.scenes import (
    COLOURS,
    SHAPES,
    TEXTURES,
    VOCABULARY,
    Background,
    Scene,
    Thing,
    build,
    captions,
    described_scene,
    draw,
    judge,
    load_scenes,
    random_scene,
    true_of,
)
from coursekit.scenes.grammar import MAX_WORDS
from coursekit.scenes.world import PIXELS, inside

WEIGHTS = Path(__file__).parents[2] / "datasets" / "scenes_cnn.weights.h5"


@pytest.fixture(scope="module")
def many():
    return [described_scene(0, "train", number) for number in range(1500)]


def thing(name, size="big", texture="plain", x=32.0, y=32.0):
    colour, shape = name.split()
    return Thing(shape, colour, texture, size, x, y, 8.0 if size == "small" else 16.0, 0.0)


STAR, RING = thing("red star", "small", x=12.0, y=30.0), thing("blue ring", texture="striped", x=45.0, y=40.0)
PAIR = Scene(Background("grainy", "dark blue"), (STAR, RING), 1)
TWINS = Scene(Background("landscape", "night", "sea", 0.6), (STAR, thing("red star", x=44.0, y=30.0)), 1)
NESTED = Scene(Background("fading", "white", "pale pink"), (thing("pink moon", "small"), thing("blue ring")), 1)


def test_the_same_seed_gives_the_same_scene_captions_and_picture_bit_by_bit():
    for number in range(20):
        (one, first), (two, second) = (described_scene(5, "val", number) for _ in range(2))
        assert (one, first) == (two, second)
        np.testing.assert_array_equal(draw(one), draw(two))
    assert described_scene(5, "train", 0) != described_scene(5, "val", 0)
    assert described_scene(6, "val", 0) != described_scene(5, "val", 0)


def test_every_caption_is_true_and_five_of_them_differ(many):
    for scene, sentences in many:
        assert len(set(sentences)) == 5
        for sentence in sentences:
            verdict = judge(sentence, scene)
            assert verdict.true, (sentence, verdict, scene)
            assert len(sentence.split()) <= MAX_WORDS


def test_captions_use_the_whole_vocabulary_and_no_other_words(many):
    used = Counter(word for _, sentences in many for sentence in sentences for word in sentence.split())
    assert used.keys() == set(VOCABULARY[4:])
    assert VOCABULARY[:4] == ("<NULL>", "<START>", "<END>", "<UNK>")
    assert 60 <= len(VOCABULARY) == len(set(VOCABULARY)) <= 120


def test_captions_vary_and_say_something_of_their_own_picture(many):
    sentences = [sentence for _, some in many for sentence in some]
    assert len(set(sentences)) > 0.7 * len(sentences)
    # A caption is rarely true of a picture that it does not belong to.
    others = [true_of(some[0], many[(n + 1) % len(many)][0]) for n, (_, some) in enumerate(many)]
    assert np.mean(others) < 0.1


def test_every_shape_colour_texture_and_number_of_objects_occurs(many):
    things = [thing for scene, _ in many for thing in scene.things]
    assert {thing.shape for thing in things} == set(SHAPES)
    assert {thing.colour for thing in things} == set(COLOURS)
    assert {thing.texture for thing in things} == set(TEXTURES)
    assert {len(scene.things) for scene, _ in many} == {1, 2, 3}
    assert any(inside(one, other) for scene, _ in many for one in scene.things for other in scene.things)


def test_objects_are_inside_the_picture_and_hide_nothing(many):
    for scene, _ in many:
        for number, one in enumerate(scene.things):
            assert one.radius < one.x < PIXELS - one.radius
            assert one.radius < one.y < PIXELS - one.radius
            for other in scene.things[:number]:
                apart = np.hypot(one.x - other.x, one.y - other.y) > one.radius + other.radius
                assert apart or inside(one, other) or inside(other, one)


def test_an_object_is_painted_in_its_colour_with_smooth_edges():
    picture = draw(Scene(Background("plain", "white"), (thing("red circle"),), 1)).astype(int)
    assert picture.shape == (PIXELS, PIXELS, 3)
    assert np.abs(picture[32, 32] - COLOURS["red"]).max() < 40
    assert np.abs(picture[2, 2] - 249).max() < 10
    # From the white to the dark outline there are pixels in between.
    assert ((picture[:, :, 1] > 80) & (picture[:, :, 1] < 200)).sum() > 20


def test_a_scene_survives_json(many):
    for scene, _ in many[:20]:
        assert Scene.from_dict(json.loads(json.dumps(scene.as_dict()))) == scene


@pytest.mark.parametrize(
    ("scene", "caption"),
    [
        (PAIR, "a red star left of a blue ring"),
        (PAIR, "a tiny star to the left of a large striped blue ring on a grainy dark blue background"),
        (PAIR, "above a ring with stripes sits the small star"),
        (PAIR, "right of a star is a ring"),
        (PAIR, "on the left there is a star"),
        (PAIR, "a star on the left and a ring in the bottom right corner"),
        (PAIR, "the star is small and red and the ring is striped"),
        (PAIR, "two shapes a blue ring and a plain red star"),
        (PAIR, "a ring bigger than a star"),
        (PAIR, "one star"),
        (PAIR, "a dark blue background with a star"),
        (PAIR, "on a dark blue background there is a ring"),
        (TWINS, "two red stars over the sea at night"),
        (TWINS, "a star beside a star"),
        (TWINS, "a small star and a big star"),
        (TWINS, "the stars"),
        (NESTED, "a pink moon inside a blue ring"),
        (NESTED, "a ring around a crescent on a background fading from white to pale pink"),
        (NESTED, "<START> a moon in the middle of a ring <END> <NULL> anything"),
        (NESTED, ["a", "moon", "and", "a", "ring"]),
    ],
)
def test_what_is_true_is_judged_true(scene, caption):
    verdict = judge(caption, scene)
    assert verdict.true, verdict
    assert true_of(caption, scene)


@pytest.mark.parametrize(
    ("scene", "caption", "kind"),
    [
        (PAIR, "a green star left of a blue ring", "colour"),
        (PAIR, "a red heart left of a blue ring", "shape"),
        (PAIR, "a big red star left of a blue ring", "size"),
        (PAIR, "a dotted ring", "texture"),
        (PAIR, "a ring with checks", "texture"),
        (PAIR, "a red ring", "colour"),
        (PAIR, "a red star right of a blue ring", "relation"),
        (PAIR, "a red star left of a blue ring and below a ring", "existence"),
        (PAIR, "below a ring is a star", "relation"),
        (PAIR, "a star inside a ring", "relation"),
        (PAIR, "a ring smaller than a star", "relation"),
        (PAIR, "the star is red and dotted", "texture"),
        (PAIR, "a star on the right", "place"),
        (PAIR, "on the right is a star", "place"),
        (PAIR, "a star and a star", "shape"),
        (PAIR, "two stars", "number"),
        (PAIR, "three shapes", "number"),
        (PAIR, "a star on a dark green background", "background"),
        (PAIR, "a star on a plain dark blue background", "background"),
        (PAIR, "a star on a background fading from white to pale pink", "background"),
        (PAIR, "a star at night", "background"),
        (TWINS, "one star", "number"),
        (TWINS, "two stars over the sand", "background"),
        (TWINS, "two stars at sunset", "background"),
        (TWINS, "a star a star and a star", "existence"),
        (NESTED, "a moon beside a ring", "relation"),
        (NESTED, "a ring inside a moon", "relation"),
        (NESTED, "a moon on a background fading from pale pink to white", "background"),
    ],
)
def test_what_is_false_is_judged_false_for_its_reason(scene, caption, kind):
    verdict = judge(caption, scene)
    assert verdict.problem is None
    assert kind in {claim.kind for claim in verdict.claims if not claim.holds}, verdict
    assert not true_of(caption, scene)


@pytest.mark.parametrize(
    "caption",
    ["", "a", "a red", "star", "a star above", "a star a", "above a ring", "a dog", "and a star", "a star <UNK>"],
)
def test_what_is_no_sentence_is_not_true_and_says_so(caption):
    verdict = judge(caption, PAIR)
    assert verdict.problem
    assert not verdict.true


def test_changing_a_word_of_a_true_caption_mostly_makes_it_false(many):
    changed = [
        true_of(sentence.replace(" red ", " green "), scene)
        for scene, sentences in many
        for sentence in sentences
        if " red " in sentence
    ]
    assert len(changed) > 100
    assert np.mean(changed) < 0.02


def test_more_captions_can_be_had():
    scene = random_scene(np.random.default_rng(1), 2)
    assert len(set(captions(scene, np.random.default_rng(2), 40))) == 40


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    path = tmp_path_factory.mktemp("datasets") / "scenes.h5"
    return path, build(path, train=60, val=20, weights=WEIGHTS, progress=False)


def test_the_data_set_is_read_as_it_was_built(built):
    path, data = built
    read = load_captions(path)
    assert read.idx_to_word == VOCABULARY
    for split, size in (("train", 60), ("val", 20)):
        one, other = getattr(read, split), getattr(data, split)
        for name in ("captions", "image_idxs", "features", "urls"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert one.captions.shape == (5 * size, MAX_WORDS + 2)
        assert one.features.shape == (size, 512)
    assert sorted(each.name for each in path.parent.iterdir()) == ["scenes", "scenes.h5"]


def test_the_parts_of_the_data_set_belong_together(built):
    path, data = built
    model = PretrainedCNN(WEIGHTS)
    scenes = load_scenes(path)
    for split in ("train", "val"):
        part = getattr(data, split)
        sentences = decode_captions(part.captions, data.idx_to_word)
        assert all(true_of(text, scenes[split][n]) for text, n in zip(sentences, part.image_idxs, strict=True))
        for number in (0, 7, len(part.urls) - 1):
            picture = iio.imread(url2pathname(urlsplit(part.urls[number]).path))
            np.testing.assert_array_equal(picture, draw(scenes[split][number]))
            features, _ = model.forward(model.preprocess(picture), end="maxpool4")
            np.testing.assert_allclose(part.features[number], features.ravel(), rtol=1e-3, atol=1e-4)


def test_building_again_gives_the_same_and_replaces_what_was_there(built, tmp_path):
    _, data = built
    path = tmp_path / "scenes.h5"
    build(path, train=3, val=2, seed=9, weights=WEIGHTS, progress=False)
    again = build(path, train=60, val=20, weights=WEIGHTS, progress=False)
    np.testing.assert_array_equal(again.train.features, data.train.features)
    np.testing.assert_array_equal(again.val.captions, data.val.captions)
    assert len(list((tmp_path / "scenes").glob("*.png"))) == 80


def test_what_fails_leaves_the_old_data_set_alone(tmp_path, monkeypatch):
    path = tmp_path / "scenes.h5"
    build(path, train=2, val=2, weights=WEIGHTS, progress=False)
    before = path.read_bytes()

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(iio, "imwrite", fail)
    with pytest.raises(OSError, match="no space"):
        build(path, train=3, val=3, weights=WEIGHTS, progress=False)
    assert path.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["scenes", "scenes.h5"]
    assert len(load_scenes(path)["train"]) == 2


def test_what_cannot_be_built_or_read_is_named(tmp_path):
    with pytest.raises(InvalidInput, match="a picture in each split"):
        build(tmp_path / "scenes.h5", train=0, weights=WEIGHTS)
    with pytest.raises(InvalidInput, match=r"scenes_cnn\.weights\.h5"):
        build(tmp_path / "scenes.h5")
    with pytest.raises(DatasetUnusable, match=r"scenes\.h5 is not there.*get_datasets\.sh"):
        load_scenes(tmp_path / "scenes.h5")
    (tmp_path / "scenes.h5").touch()
    with pytest.raises(DatasetUnusable, match=r"scenes\.json cannot be read.*get_datasets\.sh"):
        load_scenes(tmp_path / "scenes.h5")
