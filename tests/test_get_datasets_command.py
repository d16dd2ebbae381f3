import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import coursekit
from coursekit import get_datasets
from coursekit.data import CaptionData, Split, save_captions

HOME = Path(__file__).parent.parent
WORDS = ("<NULL>", "<START>", "<END>", "<UNK>", "cat", "dog")


def small_data(folder):
    (folder / "scenes").mkdir(exist_ok=True)
    (folder / "scenes" / "0.png").write_bytes(b"picture")
    url = (folder / "scenes" / "0.png").as_uri()
    split = Split(
        np.ones((2, 4), np.int32), np.zeros(2, np.int32), np.ones((1, 3), np.float32), np.array([url], object)
    )
    return CaptionData(split, split, WORDS)


@pytest.fixture
def built(monkeypatch):
    """A builder of scenes that is quick; returns where it was called for."""
    calls = []

    def build(path, *, networks, progress):
        assert networks == HOME / "datasets"
        assert not progress  # this is no terminal
        calls.append(path)
        save_captions(path, small_data(path.parent))

    scenes = ModuleType("coursekit.scenes")
    scenes.build = build
    monkeypatch.setitem(sys.modules, "coursekit.scenes", scenes)
    monkeypatch.setattr(coursekit, "scenes", scenes, raising=False)
    return calls


def test_without_a_name_the_scenes_are_built(get, built, tmp_path):
    code, said = get()
    assert code == 0
    assert built == [tmp_path / "scenes.h5"]
    assert "scenes.h5 is ready: 2 captions of 1 pictures to train" in said


def test_scenes_that_are_there_are_not_built_again(get, built):
    get()
    code, said = get("scenes")
    assert (code, len(built)) == (0, 1)
    assert "is there and whole: nothing to do" in said


def test_scenes_that_are_damaged_are_built_again(get, built, tmp_path):
    (tmp_path / "scenes.h5").write_bytes(b"half")
    code, said = get()
    assert (code, len(built)) == (0, 1)
    assert "scenes.h5 is not an HDF5 file." in said


def test_scenes_whose_pictures_are_gone_are_built_again(get, built, tmp_path):
    get()
    (tmp_path / "scenes" / "0.png").unlink()
    code, said = get()
    assert (code, len(built)) == (0, 2)
    assert "2 pictures of" in said
    assert "are not there" in said


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device"), "could not be written: [Errno 28] No space left on device. Make room"),
        (PermissionError(13, "Permission denied"), "Permission denied. Fix that, and run the command again"),
        (KeyboardInterrupt(), "interrupted. Run the command again"),
        (MemoryError(), "does not fit into the memory"),
    ],
)
@pytest.mark.usefixtures("built")
def test_a_failure_is_one_line_and_exit_code_1(get, monkeypatch, error, told):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(sys.modules["coursekit.scenes"], "build", fail)
    code, said = get()
    assert code == 1
    assert told in said


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        (["imagenet"], {}, "invalid choice: 'imagenet'"),
        (["coco", "scenes"], {}, "unrecognized arguments: scenes"),
        (["coco"], {"COCO_CAPTIONING_URL": "file:///etc/passwd"}, "it must begin with http:// or https://"),
        (["coco"], {"COCO_CAPTIONING_SHA256": "abc"}, "it must be 64 hexadecimal digits"),
    ],
)
def test_wrong_usage_is_exit_code_2(capsys, monkeypatch, arguments, environment, told):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as caught:
        get_datasets.main(arguments)
    assert caught.value.code == 2
    assert told in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_the_script_runs_from_anywhere_and_has_help(tmp_path):
    done = subprocess.run(
        [HOME / "get_datasets.sh", "--help"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0
    for word in ("scenes", "coco", "COCO_CAPTIONING_URL", "COCO_CAPTIONING_SHA256"):
        assert word in done.stdout


@pytest.fixture
def script(tmp_path):
    """The script in a folder of its own, with a Python in .venv that says how it was called."""
    shutil.copy(HOME / "get_datasets.sh", tmp_path)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\n[ "$1" = -c ] || echo venv "$@"\n')
    python.chmod(0o755)

    def run(*arguments, **environment):
        return subprocess.run(
            ["sh", tmp_path / "get_datasets.sh", *arguments],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_the_script_takes_the_python_of_the_course(script):
    assert script("coco", "--into", "two words", PYTHON="").stdout == (
        "venv -m coursekit.get_datasets coco --into two words\n"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_the_script_takes_the_python_that_it_is_told(script, tmp_path):
    other = tmp_path / "other"
    other.write_text('#!/bin/sh\n[ "$1" = -c ] || { echo other "$@"; exit 7; }\n')
    other.chmod(0o755)
    done = script(PYTHON=str(other))
    assert done.stdout == "other -m coursekit.get_datasets\n"
    assert done.returncode == 7


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
@pytest.mark.parametrize("python", ["false", "/no/such/python"])
def test_without_the_packages_the_script_says_how_to_get_them(script, python):
    done = script(PYTHON=python)
    assert done.returncode == 1
    assert f"('{python}' lacks some)" in done.stderr
    assert "Set them up as README.md says" in done.stderr
