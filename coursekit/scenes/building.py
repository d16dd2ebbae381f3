"""Build the data set of scenes: pictures, captions, features of the pictures, and what each picture shows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imageio.v3 as iio
import numpy as np
from tqdm import tqdm

from coursekit.data import SPLITS, CaptionData, Split, find_dataset, save_captions
from coursekit.errors import DatasetUnusable, InvalidInput
from coursekit.hdf5 import draft_of
from coursekit.scenes.drawing import draw_all
from coursekit.scenes.grammar import MAX_WORDS, captions
from coursekit.scenes.lexicon import VOCABULARY
from coursekit.scenes.reader import SceneReader
from coursekit.scenes.world import Scene, random_scene

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from numpy.typing import NDArray

_INDEX = {word: index for index, word in enumerate(VOCABULARY)}

# So many pictures are drawn and looked at together.
_TOGETHER = 50


def described_scene(seed: int, split: str, number: int, count: int = 5) -> tuple[Scene, list[str]]:
    """Invent the picture with a number, and its captions.

    Args:
        seed: The seed of the data set.
        split: "train" or "val".
        number: Which picture of the split it is; each is independent of how many there are.
        count: How many captions to write.

    Returns:
        The scene, and its captions.
    """
    rng = np.random.default_rng([seed, SPLITS.index(split), number])
    scene = random_scene(rng)
    return scene, captions(scene, rng, count)


def encode(sentences: Sequence[str]) -> NDArray[np.int32]:
    """Turn captions into indices of words: <START>, the words, <END>, filled up with <NULL>.

    Args:
        sentences: M captions of at most `MAX_WORDS` words.

    Returns:
        An array of shape (M, MAX_WORDS + 2).
    """
    out = np.zeros((len(sentences), MAX_WORDS + 2), np.int32)
    for row, sentence in zip(out, sentences, strict=True):
        indices = [_INDEX[word] for word in ("<START>", *sentence.split(), "<END>")]
        row[: len(indices)] = indices
    return out


def build(
    path: str | os.PathLike[str],
    *,
    train: int = 8000,
    val: int = 1000,
    seed: int = 0,
    networks: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> CaptionData:
    """Build the data set, the same on every run with the same arguments.

    The pictures, and what they show (scenes.json), go to a folder beside the file, of its name without the suffix. The
    file appears last, when all of that is in its place.

    Args:
        path: The HDF5 file to write, such as "datasets/scenes.h5".
        train: How many pictures to draw for training.
        val: How many pictures to draw for validation.
        seed: The seed. Pictures of another seed are other pictures, in the same style.
        networks: The folder with the networks that make the features, scenes_cnn.weights.h5 and
            scenes_reader.weights.h5; by default that of `path`.
        progress: Whether to show a progress bar.

    Returns:
        What was written, with five captions for each picture. The features are the answers of `SceneReader`: 85
        numbers.

    Raises:
        InvalidInput: A network cannot be read, or a split shall be empty.
    """
    target = Path(path).absolute()
    sizes = {"train": train, "val": val}
    if min(sizes.values()) < 1:
        raise InvalidInput(f"there must be a picture in each split; train is {train} and val is {val}")
    reader = SceneReader.load(target.parent if networks is None else networks)
    folder = target.with_suffix("")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = draft_of(folder)
    draft.mkdir()
    try:
        with tqdm(total=train + val, desc="scenes", unit="picture", disable=not progress) as bar:
            splits, shown = {}, {}
            for split, size in sizes.items():
                splits[split], shown[split] = _build_split(split, size, seed, reader, draft, folder, bar)
        text = json.dumps({"seed": seed, "scenes": shown}, separators=(",", ":"))
        (draft / "scenes.json").write_text(text, encoding="utf-8")
        # From here on nothing takes long. Without its file an old folder is never taken for a whole data set.
        target.unlink(missing_ok=True)
        if folder.exists():
            shutil.rmtree(folder)
        draft.replace(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    data = CaptionData(splits["train"], splits["val"], VOCABULARY)
    save_captions(target, data)
    return data


def load_scenes(path: str | os.PathLike[str] = "datasets/scenes.h5") -> dict[str, list[Scene]]:
    """Read what the pictures of a data set show, to judge captions by.

    Args:
        path: The HDF5 file that `build` wrote, looked for as `load_captions` does.

    Returns:
        For "train" and "val" the scenes, in the order of the split's pictures.

    Raises:
        DatasetUnusable: They are not there, or cannot be read.
    """
    file = find_dataset(Path(path)).with_suffix("") / "scenes.json"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return {split: [Scene.from_dict(scene) for scene in content["scenes"][split]] for split in SPLITS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetUnusable(
            f"{file} cannot be read: {error}. Make it anew, in the folder of the course: ./get_datasets.sh"
        ) from error


def _build_split(
    split: str, size: int, seed: int, reader: SceneReader, draft: Path, folder: Path, bar: Any
) -> tuple[Split, list[dict[str, Any]]]:
    """Draw a split, its pictures into the folder `draft`, which later becomes `folder`; also return its scenes."""
    described = [described_scene(seed, split, number) for number in range(size)]
    names = [f"{split}_{number:05}.png" for number in range(size)]
    features = []
    for at in range(0, size, _TOGETHER):
        pictures = draw_all([scene for scene, _ in described[at : at + _TOGETHER]])
        features.append(reader.answers(pictures))
        for name, picture in zip(names[at : at + _TOGETHER], pictures, strict=True):
            iio.imwrite(draft / name, picture)
        bar.update(len(pictures))
    sentences = [(number, sentence) for number, (_, texts) in enumerate(described) for sentence in texts]
    done = Split(
        encode([sentence for _, sentence in sentences]),
        np.array([number for number, _ in sentences], np.int32),
        np.concatenate(features),
        np.array([(folder / name).as_uri() for name in names], object),
    )
    return done, [scene.as_dict() for scene, _ in described]
