import errno
import os
import pickle
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from coursekit.data import CaptionData, Split, decode_captions, load_captions, minibatch, save_captions
from coursekit.errors import DatasetUnusable, InvalidInput

WORDS = ("<NULL>", "<START>", "<END>", "<UNK>", "a", "red", "круг")


def split(captions, pictures, seed):
    rng = np.random.default_rng(seed)
    return Split(
        captions=rng.integers(0, len(WORDS), (captions, 5), dtype=np.int32),
        image_idxs=rng.integers(0, pictures, captions, dtype=np.int32),
        features=rng.standard_normal((pictures, 3)).astype(np.float32),
        urls=np.array([f"file:///größe/{number}.png" for number in range(pictures)], object),
    )


@pytest.fixture
def data():
    return CaptionData(split(11, 7, 0), split(5, 2, 1), WORDS)


@pytest.fixture
def file(tmp_path, data):
    save_captions(tmp_path / "scenes.h5", data)
    return tmp_path / "scenes.h5"


def assert_same(left, right):
    assert left.idx_to_word == right.idx_to_word
    for name in ("train", "val"):
        for array in ("captions", "image_idxs", "features", "urls"):
            one, other = (getattr(getattr(each, name), array) for each in (left, right))
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)


def unusable(path):
    with pytest.raises(DatasetUnusable) as caught:
        load_captions(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_what_was_saved_is_loaded(file, data):
    loaded = load_captions(file)
    assert_same(loaded, data)
    assert loaded.word_to_idx["круг"] == 6
    assert loaded.train.urls[0] == "file:///größe/0.png"


def test_the_file_has_the_arrays_of_the_schema(file):
    with h5py.File(file) as h5:
        found = {name: (each.ndim, each.dtype.kind) for name, each in h5.items()}
    schema = {"captions": (2, "i"), "image_idxs": (1, "i"), "features": (2, "f"), "urls": (1, "S")}
    expected = {f"{name}_{array}": kind for name in ("train", "val") for array, kind in schema.items()}
    assert found == expected | {"idx_to_word": (1, "S")}


def test_all_of_it_is_in_memory_so_that_the_file_may_go(file, data):
    loaded = load_captions(file)
    file.unlink()
    assert_same(loaded, data)


def test_a_notebook_finds_the_data_from_the_folder_of_its_assignment(tmp_path, data, monkeypatch):
    save_captions(tmp_path / "datasets" / "scenes.h5", data)
    (tmp_path / "assignments" / "captioning").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "assignments" / "captioning")
    assert_same(load_captions(), data)


def test_printing_a_data_set_shows_shapes_and_not_arrays(data):
    assert "captions (11, 5), image_idxs (11,), features (7, 3), urls (7,)" in repr(data)
    assert len(repr(data)) < 300


@pytest.mark.parametrize(
    ("name", "command"), [("scenes.h5", "./get_datasets.sh"), ("coco.h5", "./get_datasets.sh coco")]
)
def test_a_missing_file_says_which_command_makes_it(tmp_path, name, command):
    assert unusable(tmp_path / name).endswith(f"is not there. Make it, in the folder of the course: {command}")


def test_an_unusable_file_is_an_oserror_that_jupyter_shows_in_one_line_and_that_survives_pickling(tmp_path):
    with pytest.raises(OSError, match="is not there") as caught:
        load_captions(tmp_path / "scenes.h5")
    assert caught.value._render_traceback_() == [f"DatasetUnusable: {caught.value}"]
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_missing_file_of_a_relative_name_says_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert f"is neither in {tmp_path} nor in a folder above it" in unusable("no such folder/scenes.h5")


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"", "is empty"), (b"<html>", "is not an HDF5 file"), (b"\x89HDF\r\n\x1a\n" * 9, "is damaged")],
)
def test_a_file_of_another_kind_is_told_from_a_damaged_one(tmp_path, content, told):
    (tmp_path / "coco.h5").write_bytes(content)
    assert f"{told}. Make it anew, in the folder of the course: ./get_datasets.sh coco" in unusable(
        tmp_path / "coco.h5"
    )


def test_a_folder_is_not_a_file(tmp_path):
    (tmp_path / "scenes.h5").mkdir()
    assert "is a folder, not a file" in unusable(tmp_path / "scenes.h5") or sys.platform == "win32"


def test_a_file_that_is_cut_off_anywhere_is_never_taken_for_a_whole_one(file):
    whole = file.read_bytes()
    for size in range(8, len(whole), 41):
        file.write_bytes(whole[:size])
        assert "is cut off" in unusable(file) or size < 100


def test_a_flipped_byte_is_found_wherever_it_changes_the_data(file, data):
    whole = file.read_bytes()
    refused = 0
    for place in range(0, len(whole), 7):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            assert_same(load_captions(file), data)  # a byte that nothing depends on
        except DatasetUnusable as error:
            assert "./get_datasets.sh" in str(error)  # noqa: PT017 - either is right
            refused += 1
    assert refused > len(whole) / 7 / 2


def change(name, value):
    def run(h5):
        del h5[name]
        if value is not None:
            h5[name] = value

    return run


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (change("val_features", None), "val_features is missing"),
        (lambda h5: (change("val_urls", None)(h5), h5.create_group("val_urls")), "val_urls is missing"),
        (change("train_captions", np.zeros((11, 5))), "train_captions holds float64, not int32"),
        (change("train_image_idxs", np.zeros(11, np.int64)), "train_image_idxs holds int64, not int32"),
        (change("train_features", np.zeros((7, 3))), "train_features holds float64, not float32"),
        (change("train_captions", np.zeros(11, np.int32)), r"train_captions has the shape (11,); it needs 2 axes"),
        (
            change("val_captions", np.zeros((0, 5), np.int32)),
            r"val_captions has the shape (0, 5); it needs 2 axes, none of",
        ),
        (
            change("train_captions", np.full((11, 5), 7, np.int32)),
            "train_captions holds the index 7; there are 7 words",
        ),
        (
            change("train_captions", np.full((11, 5), -1, np.int32)),
            "train_captions holds the index -1; there are 7 words",
        ),
        (change("val_image_idxs", np.full(5, 2, np.int32)), "val_image_idxs holds the index 2; there are 2 pictures"),
        (change("val_image_idxs", np.zeros(4, np.int32)), "val_image_idxs has 4 entries for 5 rows of val_captions"),
        (change("val_urls", np.array([b"a"])), "val_urls has 1 entries for 2 rows of val_features"),
        (change("val_urls", np.zeros(2)), "val_urls holds float64, not strings"),
        (change("val_urls", ["a", "b"]), "val_urls holds object, not strings of a fixed length"),
        (
            change("val_features", np.zeros((2, 4), np.float32)),
            "train_features has 3 features in a row, and val_features",
        ),
        (change("val_captions", np.zeros((5, 6), np.int32)), "train_captions has 5 words in a row, and val_captions"),
        (change("val_features", np.full((2, 3), np.nan, np.float32)), "val_features holds numbers that are not finite"),
        (change("idx_to_word", np.array([b"<NULL>", b"<START>", b"<END>"])), "idx_to_word has no <UNK>"),
        (change("idx_to_word", np.array([b"a", b"<NULL>", b"a"])), "idx_to_word holds 'a' twice"),
    ],
)
def test_a_file_of_another_schema_says_what_is_wrong(file, damage, told):
    with h5py.File(file, "a") as h5:
        damage(h5)
    message = unusable(file)
    assert f"does not hold what it should: {told}" in message
    assert message.endswith("Make it anew, in the folder of the course: ./get_datasets.sh")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_says_so(file):
    file.chmod(0)
    assert f"You have no permission to read {file}" in unusable(file)


def test_data_that_does_not_fit_together_is_never_saved(data):
    with pytest.raises(InvalidInput, match="val_urls has 2 entries for 1 rows of val_features"):
        replace(data, val=replace(data.val, features=data.val.features[:1]))


def test_saving_replaces_a_file_and_leaves_nothing_else_in_the_folder(file, data):
    save_captions(file, replace(data, train=data.val))
    assert len(load_captions(file).train.captions) == 5
    assert os.listdir(file.parent) == ["scenes.h5"]  # noqa: PTH208


def test_a_write_that_fails_leaves_the_old_file_as_it_was(file, data, monkeypatch):
    before = file.read_bytes()

    def fail(_):
        raise OSError(errno.EIO, "the disk is gone")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="the disk is gone"):
        save_captions(file, data)
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["scenes.h5"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
def test_a_disk_that_fills_up_at_any_point_is_one_error_and_no_crash(tmp_path, data):
    import resource

    save_captions(tmp_path / "whole.h5", data)
    size = (tmp_path / "whole.h5").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in range(0, size, size // 17):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(OSError, match="File too large") as caught:
                save_captions(tmp_path / "scenes.h5", data)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert caught.value.errno == errno.EFBIG
        assert [path.name for path in tmp_path.iterdir()] == ["whole.h5"]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open descriptors are listed in /proc")
def test_no_descriptor_is_left_open(file, tmp_path, data):
    (tmp_path / "other.h5").write_bytes(file.read_bytes()[:-9])

    def use():
        load_captions(file)
        unusable(tmp_path / "other.h5")
        save_captions(tmp_path / "third.h5", data)

    use()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    use()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_a_minibatch_has_captions_with_the_features_and_addresses_of_their_pictures(data):
    captions, features, urls = minibatch(data.train, 6, np.random.default_rng(0))
    assert (captions.shape, features.shape, urls.shape) == ((6, 5), (6, 3), (6,))
    for caption, feature, url in zip(captions, features, urls, strict=True):
        places = np.flatnonzero((data.train.captions == caption).all(axis=1))
        pictures = data.train.image_idxs[places]
        assert any(np.array_equal(data.train.features[each], feature) for each in pictures)
        assert url in data.train.urls[pictures]


def test_a_minibatch_of_all_captions_holds_each_of_them_once(data):
    captions, _, _ = minibatch(data.val, 5, np.random.default_rng(3))
    assert sorted(map(tuple, captions)) == sorted(map(tuple, data.val.captions))


def test_a_minibatch_of_a_data_set_is_one_of_its_train_split(data):
    one, other = (minibatch(each, 4, np.random.default_rng(5)) for each in (data, data.train))
    np.testing.assert_array_equal(one[0], other[0])


def test_minibatches_differ_from_draw_to_draw_and_repeat_from_run_to_run(data):
    rng = np.random.default_rng(0)
    first, second = (minibatch(data, 8, rng)[0] for _ in range(2))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, minibatch(data, 8, np.random.default_rng(0))[0])


def test_changing_a_minibatch_leaves_the_data_alone(data):
    before = data.train.features.copy()
    minibatch(data, 11, np.random.default_rng(0))[1][:] = 0
    np.testing.assert_array_equal(data.train.features, before)


@pytest.mark.parametrize("size", [0, -1, 12])
def test_a_minibatch_of_an_impossible_size_is_refused(data, size):
    with pytest.raises(InvalidInput, match=f"size is {size}; it must be from 1 to 11, the number of captions"):
        minibatch(data, size, np.random.default_rng(0))


@pytest.mark.parametrize("words", [WORDS, list(WORDS), dict(enumerate(WORDS))])
def test_sentences_end_at_the_first_end_and_show_no_start_and_no_null(words):
    captions = [[1, 4, 5, 6, 2], [4, 2, 5, 2, 5], [0, 1, 0, 3, 0], [2, 4, 4, 4, 4]]
    assert decode_captions(captions, words) == ["a red круг", "a", "<UNK>", ""]


def test_a_single_caption_is_a_single_sentence():
    assert decode_captions(np.array([1, 4, 6, 2, 0]), WORDS) == "a круг"


def test_no_captions_are_no_sentences():
    assert decode_captions(np.zeros((0, 5), int), WORDS) == []


@pytest.mark.parametrize("index", [7, -1])
def test_an_index_that_stands_for_no_word_is_refused(index):
    with pytest.raises(InvalidInput, match=f"the index {index}, which stands for no word; there are 7 words"):
        decode_captions([[4, index]], WORDS)


@pytest.mark.parametrize("captions", [np.zeros((2, 3)), np.zeros((1, 2, 3), int), 4, [["a"]]])
def test_what_is_no_caption_is_refused(captions):
    with pytest.raises(InvalidInput, match=r"what can be decoded are integers of shape \(N, T\) or \(T,\)"):
        decode_captions(captions, WORDS)


def test_a_few_pictures_have_one_caption_each_so_that_they_can_be_learnt_by_heart(data):
    few = data.few(3)
    pictures = sorted(set(data.train.image_idxs.tolist()))[:3]
    assert few.train.image_idxs.tolist() == [0, 1, 2]
    for caption, picture in zip(few.train.captions, pictures, strict=True):
        assert caption.tolist() in data.train.captions[data.train.image_idxs == picture].tolist()
    assert np.array_equal(few.train.features, data.train.features[pictures])
    assert few.val is data.val


@pytest.mark.parametrize("count", [0, 1000])
def test_more_pictures_than_there_are_cannot_be_had(data, count):
    with pytest.raises(InvalidInput, match=f"count is {count}; it must be from 1 to"):
        data.few(count)
