"""Captioned pictures: one HDF5 file for each data set, all of one schema, read whole and checked before use.

M captions of L words belong to I pictures of D features; V is the size of the vocabulary. The file holds, for each of
the splits train and val, and once for both:

    {split}_captions    (M, L) int32    indices of words: <START>, the words, <END>, filled up with <NULL>
    {split}_image_idxs  (M,)   int32    which of the split's pictures a caption belongs to
    {split}_features    (I, D) float32  features of the pictures
    {split}_urls        (I,)   strings  where the pictures are
    idx_to_word         (V,)   strings  the vocabulary, with <NULL>, <START>, <END> and <UNK>

Strings are UTF-8 of a fixed length. `save_captions` writes such a file, with checksums throughout.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coursekit.errors import DatasetUnusable, InvalidInput
from coursekit.hdf5 import new_file

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

SPLITS = ("train", "val")
SPECIAL_WORDS = ("<NULL>", "<START>", "<END>", "<UNK>")

# What a split holds: the number of axes, and the dtype; None stands for strings.
_ARRAYS: dict[str, tuple[int, type[np.generic] | None]] = {
    "captions": (2, np.int32),
    "image_idxs": (1, np.int32),
    "features": (2, np.float32),
    "urls": (1, None),
}


@dataclass(frozen=True, eq=False)
class Split:
    """The captions and the pictures of one split.

    Attributes:
        captions: Indices of words, of shape (M, L), int32.
        image_idxs: The picture of each caption, of shape (M,), int32, each in 0 .. I-1.
        features: Features of the pictures, of shape (I, D), float32.
        urls: Addresses of the pictures, of shape (I,), strings in an array of objects.
    """

    captions: NDArray[np.int32]
    image_idxs: NDArray[np.int32]
    features: NDArray[np.float32]
    urls: NDArray[np.object_]

    def __repr__(self) -> str:
        return f"Split({', '.join(f'{name} {getattr(self, name).shape}' for name in _ARRAYS)})"


@dataclass(frozen=True, eq=False)
class CaptionData:
    """A data set of captioned pictures.

    Attributes:
        train: What a model learns from.
        val: What it is tried on.
        idx_to_word: The words in the order of their indices.
        word_to_idx: The index of each word.

    Raises:
        InvalidInput: The parts do not fit together; the message names the array as it is called in the file.
    """

    train: Split
    val: Split
    idx_to_word: tuple[str, ...] = field(repr=False)

    def __post_init__(self) -> None:
        _check_words(self.idx_to_word)
        for name in SPLITS:
            _check_split(name, getattr(self, name), len(self.idx_to_word))
        for array, axis in (("features", "features"), ("captions", "words")):
            train, val = (getattr(split, array).shape[1] for split in (self.train, self.val))
            if train != val:
                raise InvalidInput(f"train_{array} has {train} {axis} in a row, and val_{array} has {val}")

    @cached_property
    def word_to_idx(self) -> dict[str, int]:
        """The index of each word."""
        return {word: index for index, word in enumerate(self.idx_to_word)}

    def few(self, count: int) -> CaptionData:
        """Return one caption of each of the first training pictures: what a model can learn by heart.

        Args:
            count: How many pictures.

        Returns:
            The data with `count` captions of `count` pictures to train on, and all of the validation split.

        Raises:
            InvalidInput: There are not so many pictures with a caption.
        """
        pictures, rows = np.unique(self.train.image_idxs, return_index=True)
        if not 1 <= count <= len(pictures):
            raise InvalidInput(f"count is {count}; it must be from 1 to {len(pictures)}, the number of pictures")
        chosen = pictures[:count]
        split = Split(
            self.train.captions[rows[:count]],
            np.arange(count, dtype=np.int32),
            self.train.features[chosen],
            self.train.urls[chosen],
        )
        return replace(self, train=split)


def load_captions(path: str | os.PathLike[str] = "datasets/scenes.h5") -> CaptionData:
    """Read a data set of captioned pictures, and check that it is whole.

    Args:
        path: The file. A relative path is looked for in the working folder and then in the folders above it, so that
            a notebook finds the datasets of the course from the folder of its assignment.

    Returns:
        The data, all of it in memory.

    Raises:
        DatasetUnusable: The file is missing, damaged, or of another schema; the message says which command mends it.
    """
    file = find_dataset(Path(path))
    try:
        return _load(file)
    except DatasetUnusable:
        raise
    except InvalidInput as error:
        raise _unusable(file, f"does not hold what it should: {error}") from error
    except PermissionError as error:
        raise DatasetUnusable(f"You have no permission to read {file}. Try: chmod u+r '{file}'") from error
    except IsADirectoryError as error:
        raise _unusable(file, "is a folder, not a file") from error
    except MemoryError as error:
        raise DatasetUnusable(f"{file} does not fit into the memory of this machine") from error
    except Exception as error:  # a damaged file makes HDF5 raise nearly anything
        what = "is cut off: it ends before its data does" if "truncated" in str(error) else "is damaged"
        raise _unusable(file, what) from error


def _load(file: Path) -> CaptionData:
    import h5py

    with file.open("rb") as raw:
        magic = raw.read(8)
    if magic != b"\x89HDF\r\n\x1a\n":
        raise _unusable(file, "is not an HDF5 file" if magic else "is empty")
    # A finished file never changes, so it needs no lock; some network drives have none.
    with h5py.File(file, "r", locking=False) as h5:
        train, val = (
            Split(**{array: _read(h5, f"{name}_{array}", *kind) for array, kind in _ARRAYS.items()}) for name in SPLITS
        )
        words = tuple(_read(h5, "idx_to_word", 1, None).tolist())
    return CaptionData(train, val, words)


def save_captions(path: str | os.PathLike[str], data: CaptionData) -> None:
    """Write a data set of captioned pictures.

    The file appears under its name when it is whole, in place of one that was there before, and not at all otherwise.

    Args:
        path: Where to write it. The folder is made if it is not there.
        data: What to write.

    Raises:
        OSError: It could not be written; with ``errno`` ENOSPC when the disk is full.
    """
    with new_file(path) as h5:
        for name in SPLITS:
            for array, (_, dtype) in _ARRAYS.items():
                _write(h5, f"{name}_{array}", getattr(getattr(data, name), array), dtype)
        _write(h5, "idx_to_word", np.array(data.idx_to_word, object), None)


def minibatch(
    data: CaptionData | Split, size: int, rng: np.random.Generator
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.object_]]:
    """Draw captions at random, no caption twice, with the features and addresses of their pictures.

    Args:
        data: A split, or a data set, which stands for its train split.
        size: How many captions to draw, N.
        rng: Where the randomness comes from.

    Returns:
        captions of shape (N, L), features of shape (N, D), urls of shape (N,); all of them copies.

    Raises:
        InvalidInput: There are not so many captions.
    """
    split = data.train if isinstance(data, CaptionData) else data
    if not 1 <= size <= len(split.captions):
        raise InvalidInput(f"size is {size}; it must be from 1 to {len(split.captions)}, the number of captions")
    chosen = rng.choice(len(split.captions), size, replace=False)
    pictures = split.image_idxs[chosen]
    return split.captions[chosen], split.features[pictures], split.urls[pictures]


def decode_captions(captions: ArrayLike, idx_to_word: Sequence[str] | Mapping[int, str]) -> str | list[str]:
    """Turn indices into sentences: the words up to the first <END>, without <START> and <NULL>.

    Args:
        captions: Indices of shape (N, T), or (T,) for a single caption.
        idx_to_word: The word of each index.

    Returns:
        A list of N sentences, or one sentence for a single caption.

    Raises:
        InvalidInput: The captions are no integers, of another shape, or hold an index that stands for no word.
    """
    indices = np.asarray(captions)
    if indices.ndim not in {1, 2} or (indices.size and not np.issubdtype(indices.dtype, np.integer)):
        raise InvalidInput(
            f"captions have the shape {indices.shape} and hold {indices.dtype}; "
            "what can be decoded are integers of shape (N, T) or (T,)"
        )
    if indices.ndim == 2:
        return [_sentence(row.tolist(), idx_to_word) for row in indices]
    return _sentence(indices.tolist(), idx_to_word)


def _sentence(indices: list[int], idx_to_word: Sequence[str] | Mapping[int, str]) -> str:
    words = []
    for index in indices:
        # A negative index would count from the end of a list.
        word = _word(index, idx_to_word)
        if word == "<END>":
            break
        if word not in {"<START>", "<NULL>"}:
            words.append(word)
    return " ".join(words)


def _word(index: int, idx_to_word: Sequence[str] | Mapping[int, str]) -> str:
    try:
        if index >= 0:
            return idx_to_word[index]
    except LookupError:
        pass
    raise InvalidInput(f"captions hold the index {index}, which stands for no word; there are {len(idx_to_word)} words")


def find_dataset(path: Path) -> Path:
    """Return where a file of data is: a relative path is looked for in the working folder and in those above it.

    Raises:
        DatasetUnusable: It is nowhere; the message says which command makes it.
    """
    if path.is_absolute():
        folders = [path.parent]
    else:
        here = Path.cwd()
        folders = [(folder / path).parent for folder in (here, *here.parents)]
    for folder in folders:
        if (folder / path.name).exists():
            return folder / path.name
    where = "is not there" if path.is_absolute() else f"is neither in {Path.cwd()} nor in a folder above it"
    raise DatasetUnusable(f"{path} {where}. Make it, in the folder of the course: {_command(path)}")


def _unusable(path: Path, what: str) -> DatasetUnusable:
    return DatasetUnusable(f"{path} {what}. Make it anew, in the folder of the course: {_command(path)}")


def _command(path: Path) -> str:
    return "./get_datasets.sh coco" if path.name.startswith("coco") else "./get_datasets.sh"


def _read(h5: Any, name: str, ndim: int, dtype: type[np.generic] | None) -> NDArray[Any]:
    """Read an array of an HDF5 file; shape and dtype are judged before anything is read."""
    import h5py

    dataset = h5.get(name)
    if not isinstance(dataset, h5py.Dataset):
        raise InvalidInput(f"{name} is missing")
    if dtype is None:
        # Strings of any length lie on a heap that has no checksums: one flipped bit there asks for gigabytes.
        if getattr(h5py.check_string_dtype(dataset.dtype), "length", None) is None:
            raise InvalidInput(f"{name} holds {dataset.dtype}, not strings of a fixed length")
    elif dataset.dtype != dtype:
        raise InvalidInput(f"{name} holds {dataset.dtype}, not {np.dtype(dtype)}")
    if dataset.ndim != ndim or 0 in dataset.shape:
        raise InvalidInput(f"{name} has the shape {dataset.shape}; it needs {ndim} axes, none of them empty")
    array: NDArray[Any] = dataset[()] if dtype is not None else dataset.asstr()[()]
    return array


def _write(h5: Any, name: str, array: NDArray[Any], dtype: type[np.generic] | None) -> None:
    import h5py

    if dtype is None:
        encoded = [text.encode() for text in array]
        length = max(1, *map(len, encoded))
        array = np.array(encoded, h5py.string_dtype("utf-8", length))
    # Checksums let a damaged file be told from a whole one.
    h5.create_dataset(name, data=array, fletcher32=True)


def _check_words(words: tuple[str, ...]) -> None:
    if not all(isinstance(word, str) for word in words):
        raise InvalidInput("idx_to_word holds something that is no word")
    if len(set(words)) != len(words):
        twice = next(word for place, word in enumerate(words) if word in words[:place])
        raise InvalidInput(f"idx_to_word holds {twice!r} twice")
    for word in SPECIAL_WORDS:
        if word not in words:
            raise InvalidInput(f"idx_to_word has no {word}")


def _check_split(name: str, split: Split, words: int) -> None:
    for array, (ndim, dtype) in _ARRAYS.items():
        value = np.asarray(getattr(split, array))
        if value.dtype != (dtype or np.object_):
            raise InvalidInput(f"{name}_{array} holds {value.dtype}, not {np.dtype(dtype or np.object_)}")
        if value.ndim != ndim or 0 in value.shape:
            raise InvalidInput(f"{name}_{array} has the shape {value.shape}; it needs {ndim} axes, none of them empty")
    if not all(isinstance(url, str) for url in split.urls):
        raise InvalidInput(f"{name}_urls holds something that is no string")
    for array, other in (("image_idxs", "captions"), ("urls", "features")):
        count, expected = len(getattr(split, array)), len(getattr(split, other))
        if count != expected:
            raise InvalidInput(f"{name}_{array} has {count} entries for {expected} rows of {name}_{other}")
    for array, limit, of in (("captions", words, "words"), ("image_idxs", len(split.features), "pictures")):
        indices = getattr(split, array)
        low, high = int(indices.min()), int(indices.max())
        if low < 0 or high >= limit:
            raise InvalidInput(f"{name}_{array} holds the index {low if low < 0 else high}; there are {limit} {of}")
    if not np.isfinite(split.features).all():
        raise InvalidInput(f"{name}_features holds numbers that are not finite")
