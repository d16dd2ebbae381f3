"""What people hand in, and what somebody might: which files of an upload are taken, and why others are not."""

import io
import stat
import struct
import unicodedata
import zipfile

import pytest

from autograder.collecting import archive, layout
from coursekit.notebook import MAX_FILE

NOTEBOOK = b"a notebook"
UPLOAD = "Ada Lovelace_1_assignsubmission_file_/"


def handed_in(place, files, *options):
    """Collect what Ada handed in; returns her files, and what was said."""
    told = place.collect([(UPLOAD + name, data) for name, data in files], *options)
    return {name.removeprefix("ada-lovelace/captioning/"): data for name, data in place.files.items()}, told


def test_notebooks_come_out_of_folders_and_zips_and_get_their_names_again(place):
    inner = place.zipped({"hw/RNN_Captioning (1).ipynb": b"rnn", "hw/data/scores.csv": b"1", "hw/more.ipynb": b"2"})
    files, told = handed_in(place, [("deep/er/work.zip", inner), ("deep/er/lstm_captioning.ipynb", b"lstm")])
    assert files == {
        "rnn_captioning.ipynb": b"rnn",
        "data/scores.csv": b"1",
        "more.ipynb": b"2",
        "lstm_captioning.ipynb": b"lstm",
    }
    assert "not taken" not in told


def test_of_two_for_one_name_one_is_taken_and_the_other_told(place):
    files, told = handed_in(
        place,
        [
            ("old/rnn_captioning.ipynb", b"deep"),
            ("RNN_captioning.ipynb", b"other case"),
            ("rnn_captioning.ipynb", b"exact"),
            ("rnn_captioning (1).ipynb", b"copy"),
            ("Notes.txt", b"1"),
            ("notes.TXT", b"2"),
        ],
    )
    assert files == {"rnn_captioning.ipynb": b"exact", "notes.TXT": b"2"}
    assert told.count("is taken in its place") == 4


def test_litter_of_systems_and_editors_is_counted_and_left(place):
    files, told = handed_in(
        place,
        [
            ("rnn_captioning.ipynb", NOTEBOOK),
            ("__MACOSX/._rnn_captioning.ipynb", b"x"),
            ("._rnn_captioning.ipynb", b"x"),
            (".DS_Store", b"x"),
            (".ipynb_checkpoints/rnn_captioning-checkpoint.ipynb", b"x"),
        ],
    )
    assert files == {"rnn_captioning.ipynb": NOTEBOOK}
    assert "4 files left behind by a system or an editor" in told


def test_what_was_taken_is_known_again(place):
    files = [("rnn_captioning.ipynb", NOTEBOOK), ("data/timestamp.txt", b"theirs")]
    for expected in ("1 taken", "0 taken from Moodle, 1 unchanged"):
        taken, told = handed_in(place, files)
        assert set(taken) == {"rnn_captioning.ipynb"}  # theirs has a name that the fixture leaves out
        assert expected in told


def test_a_student_does_not_write_the_time_of_handing_in(place):
    files, told = handed_in(
        place, [("rnn_captioning.ipynb", NOTEBOOK), ("Timestamp.txt", b"2000-01-01"), (".collected.json", b"{}")]
    )
    assert files == {"rnn_captioning.ipynb": NOTEBOOK}
    assert told.count("a file of this name is written by the course itself") == 2
    assert not (place.folder / "submitted" / "ada-lovelace" / "captioning" / "timestamp.txt").exists()


@pytest.mark.parametrize("name", ["timestamp.txt/x", ".collected.json/x.txt", "Timestamp.TXT/deep/x"])
def test_a_folder_is_not_in_the_way_of_what_the_course_writes(place, name):
    inner = place.zipped({"rnn_captioning.ipynb": NOTEBOOK, name: b"x"})
    files, told = handed_in(place, [("work.zip", inner), ("a.txt", b"x"), (name, b"x")])
    assert files == {"rnn_captioning.ipynb": NOTEBOOK, "a.txt": b"x"}
    assert told.count("a file of this name is written by the course itself") == 2


@pytest.mark.parametrize("path", ["/".join(["d" * 150] * 40), "/".join("d" * 31), "d" * 60_000])
def test_a_path_that_no_disk_has_room_for_is_left(place, path):
    inner = place.zipped({"rnn_captioning.ipynb": NOTEBOOK, f"{path}/x.txt": b"x"})
    files, told = handed_in(place, [("work.zip", inner)])
    assert files == {"rnn_captioning.ipynb": NOTEBOOK}
    assert "its path has more than 1,000 bytes or 30 parts" in told
    assert len(told) < 2000


def test_a_file_that_lies_nowhere_in_its_zip_and_one_without_a_name_are_left(place):
    data = place.zipped({"x.txt": b"x"})
    at = data.index(b"PK\1\2")
    extra = struct.pack("<HHQ", 1, 8, 2**63 + 5)  # where the file begins, in the form for very large zips
    header = data[at : at + 30] + struct.pack("<H", len(extra)) + data[at + 32 : at + 42] + b"\xff" * 4
    size = struct.pack("<I", len(header) + len("x.txt") + len(extra))
    far = data[:at] + header + b"x.txt" + extra + data[-22:-10] + size + data[-6:]
    nameless = data.replace(b"x.txt", b"\0.txt")
    files, told = handed_in(place, [("far.zip", far), ("nameless.zip", nameless), ("rnn_captioning.ipynb", NOTEBOOK)])
    assert files == {"rnn_captioning.ipynb": NOTEBOOK}
    assert "far.zip/x.txt: it is damaged" in told
    assert "it has no name" in told


def test_what_cannot_be_written_of_one_student_leaves_the_others_theirs(place, monkeypatch):
    monkeypatch.setattr(archive, "MAX_PATH", 10_000)
    monkeypatch.setattr(archive, "MAX_PARTS", 100)
    (place.folder / "submitted").mkdir()
    (place.folder / "submitted" / "ben").write_text("no folder")
    inner = place.zipped({"rnn_captioning.ipynb": b"half", "/".join(["z" * 150] * 40): b"x"})
    uploads = {"Ada_1": ("a.zip", inner), "Zoe_3": ("lstm_captioning.ipynb", NOTEBOOK), "Ben_2": ("x.txt", b"x")}
    told = place.collect({f"{who}_assignsubmission_file_/{name}": data for who, (name, data) in uploads.items()})
    assert place.files == {"ben": b"no folder", "zoe/captioning/lstm_captioning.ipynb": NOTEBOOK}
    assert "not taken: Ada_1 (ada): it cannot be written: File name too long" in told
    assert "not taken: ben: it cannot be written: File exists" in told
    assert "1 taken from Moodle" in told


def info(name, mode=stat.S_IFREG | 0o644):
    made = zipfile.ZipInfo(name)
    made.create_system, made.external_attr = 3, mode << 16
    return made


@pytest.mark.parametrize(
    ("name", "mode", "reason"),
    [
        ("../../../owned.txt", stat.S_IFREG, "leads out of the zip"),
        ("a/../../../../owned.txt", stat.S_IFREG, "leads out of the zip"),
        ("..\\..\\..\\owned.txt", stat.S_IFREG, "leads out of the zip"),
        ("/owned.txt", stat.S_IFREG, "leads out of the zip"),
        ("C:\\owned.txt", stat.S_IFREG, "leads out of the zip"),
        ("rnn_captioning.ipynb", stat.S_IFLNK, "it is a link"),
        ("pipe", stat.S_IFIFO, "it is no regular file"),
    ],
)
def test_what_leads_out_or_is_no_file_is_left_with_the_reason(place, name, mode, reason):
    before = set(place.folder.parent.rglob("*"))
    inner = place.zipped([(info(name, mode), b"/etc/passwd"), ("fine.ipynb", NOTEBOOK)])
    files, told = handed_in(place, [("work.zip", inner)])
    assert files == {"fine.ipynb": NOTEBOOK}
    assert reason in told
    new = {path for path in set(place.folder.parent.rglob("*")) - before if path.is_file()}
    assert {path.name for path in new} == {"submissions.zip", "fine.ipynb", ".collected.json"}


def test_a_file_that_lies_about_its_size_is_damaged(place):
    data = bytearray(place.zipped({UPLOAD + "bomb.bin": bytes(100 << 20), UPLOAD + "rnn_captioning.ipynb": NOTEBOOK}))
    honest = (100 << 20).to_bytes(4, "little")
    while honest in data:  # both headers say that it holds one byte
        at = data.index(honest)
        data[at : at + 4] = (1).to_bytes(4, "little")
    told = place.collect(bytes(data))
    assert list(place.files.values()) == [NOTEBOOK]
    assert "bomb.bin: it is damaged" in told


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_is_compressed_so_that_it_cannot_be_bounded_is_left(place, method):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as file:
        file.writestr("rnn_captioning.ipynb", NOTEBOOK)
    files, told = handed_in(place, [("work.zip", made.getvalue()), ("x.txt", b"x")])
    assert files == {"x.txt": b"x"}
    assert "pack it as an ordinary zip" in told


def test_no_file_is_larger_than_a_notebook_may_be(place):
    files, told = handed_in(place, [("big.bin", bytes(MAX_FILE + 1)), ("rnn_captioning.ipynb", NOTEBOOK)])
    assert files == {"rnn_captioning.ipynb": NOTEBOOK}
    assert "big.bin: unpacked, it has more than 64 MiB" in told


def test_a_submission_has_room_for_so_much_whatever_it_is_made_of(place, monkeypatch):
    monkeypatch.setattr(layout, "MAX_SUBMISSION", 1 << 20)
    many = place.zipped({f"{number}.bin": bytes(600 << 10) for number in range(3)} | {"0.ipynb": NOTEBOOK})
    files, told = handed_in(place, [("many.zip", many)])
    assert set(files.values()) == {NOTEBOOK, bytes(600 << 10)}
    assert told.count("with it, the submission has more than 1 MiB") == 2


def test_a_zip_of_very_many_files_is_not_even_listed(place, monkeypatch):
    monkeypatch.setattr(layout, "MAX_FILES", 3)
    monkeypatch.setattr(archive, "MAX_LISTED", 5)
    some, many = (place.zipped({f"{number}.txt": b"x" for number in range(count)}) for count in (5, 6))
    files, told = handed_in(place, [("some.zip", some), ("many.zip", many), ("more.txt", b"x")])
    assert set(files) == {"0.txt", "1.txt", "2.txt"}
    assert "many.zip: it is a zip of more than 5 files" in told
    assert "some.zip/3.txt: the zip holds more than 3 files; this one and those behind it" in told
    assert "more.txt: the submission has more than 3 files" in told


def test_zips_in_zips_in_zips_are_left(place):
    innermost = place.zipped({"rnn_captioning.ipynb": NOTEBOOK})
    files, told = handed_in(
        place, [("a.zip", place.zipped({"b.zip": innermost, "x.txt": b"x"})), ("c.zip", b"PK\3\4 broken")]
    )
    assert files == {"x.txt": b"x"}
    assert "a zip in a zip" in told
    assert "c.zip: it is no zip that can be opened" in told


def test_a_damaged_file_and_an_encrypted_one_are_told_and_the_others_taken(place):
    data = bytearray(
        place.zipped({UPLOAD + "rnn_captioning.ipynb": NOTEBOOK, UPLOAD + "x.txt": b"x" * 50, UPLOAD + "y": b"y"})
    )
    at = data.index(UPLOAD.encode() + b"x.txt") + len(UPLOAD) + 5
    data[at : at + 2] = b"\xff\xff"
    central = data.rindex(UPLOAD.encode() + b"y") - 46
    data[central + 8] |= 1
    told = place.collect(bytes(data))
    assert list(place.files.values()) == [NOTEBOOK]
    assert "x.txt: it is damaged" in told
    assert "/y: it is encrypted" in told


def test_names_in_other_encodings_and_forms_are_read(place):
    ada = "Ada Lövelace"
    raw = place.zipped({"#" * len(ada.encode()) + "_1_assignsubmission_file_/rnn_captioning.ipynb": NOTEBOOK})
    place.collect(raw.replace(b"#" * len(ada.encode()), ada.encode()))  # UTF-8 that does not say so
    decomposed = unicodedata.normalize("NFD", "Zoë_2_assignsubmission_file_/rnn_captioning.ipynb")
    place.collect({decomposed: NOTEBOOK, "Zoë_2_assignsubmission_file_/bell\x07\x1b[31m<b>.txt": b"x"})
    assert list(place.files) == [
        "ada-lövelace/captioning/rnn_captioning.ipynb",
        "zoë/captioning/bell__[31m_b_.txt",
        "zoë/captioning/rnn_captioning.ipynb",
    ]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"PK\3\4 cut off", "it is no zip that can be opened"),
        ({"a/notes.txt": b""}, "none that Canvas, Moodle or Gradescope gives"),
        ({}, "none that Canvas, Moodle or Gradescope gives"),
    ],
)
def test_what_is_no_zip_of_a_class_is_refused(place, data, told):
    assert told in place.collect(data, code=2)
    assert not (place.folder / "submitted").exists()


def test_what_was_collected_is_graded(place, student):
    place.collect({"lovelaceada_12345_700_rnn_captioning-3.ipynb": student.text.encode()})
    done = place.run("grade", "captioning", cwd=place.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "46 of 46 points" in done.stdout
    assert "lovelaceada-12345" in done.stdout
