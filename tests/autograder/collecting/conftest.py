"""A course to collect zips into."""

import io
import shutil
import zipfile

import pytest

from autograder.course import HOME


def _zipped(files):
    """The bytes of a zip; a name may also be a ZipInfo."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in files.items() if isinstance(files, dict) else files:
            file.writestr(name, data)
    return made.getvalue()


class Place:
    """A course to collect into."""

    zipped = staticmethod(_zipped)

    def __init__(self, folder, run):
        self.folder = folder
        self.run = run

    def collect(self, files, *options, code=0):
        """Collect a zip of these files; returns what was said, without line breaks."""
        file = self.folder.parent / "submissions.zip"
        file.write_bytes(files if isinstance(files, bytes) else _zipped(files))
        done = self.run("collect", "captioning", file, *options, cwd=self.folder)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    @property
    def files(self):
        """All that lies in submitted/, but for what is written about it."""
        root = self.folder / "submitted"
        return {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file() and path.name not in {".collected.json", "timestamp.txt"}
        }

    def handed_in(self, student):
        return (self.folder / "submitted" / student / "captioning" / "timestamp.txt").read_text().strip()


@pytest.fixture
def place(tmp_path, in_process):
    folder = tmp_path / "course"
    (folder / "source" / "captioning").mkdir(parents=True)
    for name in ("rnn_captioning.ipynb", "lstm_captioning.ipynb"):
        shutil.copy(HOME / "source" / "captioning" / name, folder / "source" / "captioning")
    shutil.copy(HOME / "nbgrader_config.py", folder)
    return Place(folder, in_process)


@pytest.fixture
def place_in(in_process):
    """Make a Place of a course folder."""
    return lambda folder: Place(folder, in_process)
