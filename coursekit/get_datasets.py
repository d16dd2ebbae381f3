"""Build the data set of scenes, or fetch that of COCO captions: what get_datasets.sh runs.

A file has its name only when it is whole, the archive as well as the data set. So whatever is interrupted can be run
again: a download goes on, all else is begun anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import sys
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import h5py
import numpy as np

from coursekit.data import SPLITS, CaptionData, Split, load_captions, save_captions
from coursekit.download import NO_ROOM, NoRoom, WrongContent, download
from coursekit.errors import CoursekitError, DatasetUnusable, DownloadFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

COCO_URL = "http://cs231n.stanford.edu/coco_captioning.zip"

_CHUNK = 2**18
_TEXT_LIMIT = 2**26  # far more than a vocabulary or a list of addresses has
_MB = 2**20


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: Its arguments; by default those of the process.

    Returns:
        The exit code: 0 the data set is there, 1 it could not be had. (Wrong usage exits with 2.)
    """
    parser = argparse.ArgumentParser(
        prog="get_datasets.sh",
        description="Make the data sets of the course, in the folder datasets/.",
        epilog="An interrupted download goes on where it was when the command is run again. COCO_CAPTIONING_URL names "
        "another copy of the COCO archive, and COCO_CAPTIONING_SHA256 the checksum that it must have.",
    )
    parser.add_argument(
        "dataset",
        nargs="?",
        choices=("scenes", "coco"),
        default="scenes",
        help="scenes: pictures drawn on the spot, without any download (the default); "
        "coco: photographs with captions, about 1 GB to fetch",
    )
    parser.add_argument("--into", type=Path, default=Path("datasets"), metavar="FOLDER", help="by default datasets")
    chosen = parser.parse_args(arguments)
    url = os.environ.get("COCO_CAPTIONING_URL") or COCO_URL
    checksum = os.environ.get("COCO_CAPTIONING_SHA256", "").strip().lower()
    if chosen.dataset == "coco":
        if urlsplit(url).scheme not in {"http", "https"}:
            parser.error(f"COCO_CAPTIONING_URL is {url!r}; it must begin with http:// or https://")
        if checksum and not re.fullmatch("[0-9a-f]{64}", checksum):
            parser.error(f"COCO_CAPTIONING_SHA256 is {checksum!r}; it must be 64 hexadecimal digits")

    # An absolute path: `load_captions` looks for others in the folders above, too.
    target = chosen.into.absolute() / f"{chosen.dataset}.h5"
    try:
        if _is_whole(target):
            _say(f"{target} is there and whole: nothing to do.")
        elif chosen.dataset == "coco":
            get_coco(target, url, checksum)
        else:
            get_scenes(target)
    except CoursekitError as error:
        return _failed(str(error))
    except OSError as error:
        room = " Make room" if error.errno in NO_ROOM else " Fix that"
        return _failed(f"{target} could not be written: {error}.{room}, and run the command again.")
    except MemoryError:
        return _failed(f"{target} does not fit into the memory of this machine.")
    except KeyboardInterrupt:
        return _failed("interrupted. Run the command again.")
    return 0


def get_scenes(target: Path) -> None:
    """Build the data set of scenes.

    Args:
        target: The file to write.

    Raises:
        CoursekitError: It cannot be built.
        OSError: It cannot be written.
    """
    from coursekit import scenes

    _say(f"drawing scenes into {target.parent} ...")
    networks = Path(__file__).parent.parent / "datasets"
    scenes.build(target, networks=networks, progress=sys.stderr.isatty())
    _say(_summary(target))


def get_coco(target: Path, url: str, checksum: str = "") -> None:
    """Fetch the archive of COCO captions, and make the data set from it.

    Args:
        target: The file to write. The archive stands beside it until that is done.
        url: Where the archive is.
        checksum: Its SHA-256 in hexadecimal digits; empty if it is not known.

    Raises:
        DownloadFailed: The archive cannot be had, or is not what it should be; the message says what to try.
        OSError: A file cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    archive = target.with_name("coco_captioning.zip")
    try:
        if not archive.exists():
            _say(f"fetching {url} ...")
            download(url, archive, b"PK", _say)
        _verify(archive, checksum)
        _say(f"making {target} from it ...")
        _convert(archive, target)
    except WrongContent as error:
        archive.unlink(missing_ok=True)
        raise DownloadFailed(
            f"What {url} gives is not the archive of COCO captions: {error}. Open the address in a browser to see what "
            "it is, or set COCO_CAPTIONING_URL to another copy."
        ) from error
    except NoRoom:
        raise
    except DownloadFailed as error:
        raise DownloadFailed(
            f"{error} COCO_CAPTIONING_URL may name another copy. The scenes need no network: ./get_datasets.sh"
        ) from error
    _say(_summary(target))
    archive.unlink()


def _verify(archive: Path, checksum: str) -> None:
    if checksum:
        with archive.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != checksum:
            raise WrongContent(f"its SHA-256 is {found}, not {checksum}")


def _convert(archive: Path, target: Path) -> None:
    """Make the data set from the archive's files; what they are called in it is never where they are written to."""
    folder = target.with_name(f".{target.name}.unpacked")
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    needed = 0
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _members(opened)
            needed = 2 * sum(member.file_size for member in members.values())
            folder.mkdir()
            data = _read_archive(opened, members, folder)
        save_captions(target, data)
    except WrongContent:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            free = shutil.disk_usage(target.parent).free
            raise NoRoom(
                f"There is no room on the disk to unpack {archive}: {needed / _MB:.1f} MB are needed, and "
                f"{free / _MB:.1f} MB are free. Make room, and run the command again; the archive is kept."
            ) from error
        if isinstance(error, PermissionError | MemoryError):
            raise
        # A damaged archive makes zipfile, json and HDF5 raise nearly anything.
        raise WrongContent(f"it is damaged or holds something else ({error})") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the files of an archive that the data set is made from, by name."""
    found: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        path = PurePosixPath(member.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            raise WrongContent(f"it holds {member.filename!r}, which leads out of its folder")
        if found.setdefault(path.name, member) is not member and path.suffix:
            raise WrongContent(f"it holds {path.name} twice")
    kind = next((kind for kind in ("_pca", "") if all(f"{s}2014_vgg16_fc7{kind}.h5" in found for s in SPLITS)), "_pca")
    wanted = ["coco2014_captions.h5", "coco2014_vocab.json"]
    wanted += [name for s in SPLITS for name in (f"{s}2014_vgg16_fc7{kind}.h5", f"{s}2014_urls.txt")]
    for name in wanted:
        if name not in found:
            raise WrongContent(f"it holds no {name}")
    return {name.replace(f"fc7{kind}.", "fc7."): found[name] for name in wanted}


def _read_archive(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], folder: Path) -> CaptionData:
    def text(name: str) -> str:
        if members[name].file_size > _TEXT_LIMIT:
            raise WrongContent(f"{name} is too large")
        return archive.read(members[name]).decode("utf-8")

    def arrays(name: str, *keys: str) -> list[NDArray[Any]]:
        path = folder / name
        with archive.open(members[name]) as source, path.open("wb") as file:
            shutil.copyfileobj(source, file, _CHUNK)  # which also compares the checksum of the archive
        with h5py.File(path, "r") as h5:
            missing = [key for key in keys if not isinstance(h5.get(key), h5py.Dataset)]
            if missing:
                raise WrongContent(f"{name} holds no {missing[0]}")
            read = [h5[key][()] for key in keys]
        path.unlink()
        return read

    vocabulary = json.loads(text("coco2014_vocab.json"))
    words = tuple(vocabulary["idx_to_word"])
    if vocabulary["word_to_idx"] != {word: index for index, word in enumerate(words)}:
        raise WrongContent("the two halves of its vocabulary contradict each other")
    keys = [f"{split}_{array}" for split in SPLITS for array in ("captions", "image_idxs")]
    indices = dict(zip(keys, arrays("coco2014_captions.h5", *keys), strict=True))
    splits = []
    for split in SPLITS:
        (features,) = arrays(f"{split}2014_vgg16_fc7.h5", "features")
        urls = text(f"{split}2014_urls.txt").split()
        splits.append(
            Split(
                captions=_as_int32(indices[f"{split}_captions"]),
                image_idxs=_as_int32(indices[f"{split}_image_idxs"]),
                features=features.astype(np.float32, copy=False),
                urls=np.array(urls, object),
            )
        )
    return CaptionData(splits[0], splits[1], words)


def _as_int32(indices: NDArray[Any]) -> NDArray[np.int32]:
    """Narrow integers; what does not fit becomes -1, which no index may be."""
    if indices.dtype.kind not in "iu":
        raise WrongContent(f"its indices are {indices.dtype}")
    return np.where(indices < 2**31, indices, -1).astype(np.int32)


def _is_whole(path: Path) -> bool:
    """Tell whether a data set is there with all that belongs to it; if only a part is there, say what is wrong."""
    if not path.exists():
        return False
    try:
        data = load_captions(path)
    except DatasetUnusable as error:
        _say(str(error).partition(" Make it anew")[0])
        return False
    urls = (url for split in (data.train, data.val) for url in split.urls if url.startswith("file:"))
    missing = [url for url in urls if not Path(url2pathname(urlsplit(url).path)).is_file()]
    if missing:
        _say(f"{len(missing)} pictures of {path} are not there, such as {missing[0]}: making it anew.")
    return not missing


def _summary(path: Path) -> str:
    data = load_captions(path)
    train, val = (
        f"{len(split.captions)} captions of {len(split.features)} pictures" for split in (data.train, data.val)
    )
    return f"{path} is ready: {train} to train, {val} to validate, {len(data.idx_to_word)} words."


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - this is a command


def _failed(text: str) -> int:
    print(f"get_datasets: {text}", file=sys.stderr)  # noqa: T201 - this is a command
    return 1


if __name__ == "__main__":
    sys.exit(main())
