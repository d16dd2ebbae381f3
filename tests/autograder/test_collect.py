"""Zips of a class from Canvas, Moodle and Gradescope, as they come and as somebody might make them."""

import io
import shutil
import stat
import unicodedata
import zipfile
from datetime import UTC, datetime

import pytest
from nbgrader.utils import parse_utc

from autograder.collecting import archive, layout
from autograder.course import HOME
from coursekit.notebook import MAX_FILE

NOTEBOOK = b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'


def notebook(mark):
    """A notebook that can be told from others."""
    return NOTEBOOK.replace(b'"metadata": {}', b'"metadata": {"mark": "%s"}' % mark.encode())


def zipped(files):
    """The bytes of a zip; a name may also be a ZipInfo."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in files.items() if isinstance(files, dict) else files:
            file.writestr(name, data)
    return made.getvalue()


class Place:
    """A course to collect into."""

    def __init__(self, folder, run):
        self.folder = folder
        self.run = run

    def collect(self, files, *options, code=0):
        """Collect a zip of these files; returns what was said, without line breaks."""
        file = self.folder.parent / "submissions.zip"
        file.write_bytes(files if isinstance(files, bytes) else zipped(files))
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


def roster(place, text):
    path = place.folder / "students.csv"
    path.write_text(text, encoding="utf-8")
    return "--roster", path


CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section
    Points Possible,,,,
"Lovelace, Ada",12345,ada,ada@x.org,1
"Ågren-Öst, Ben",,ben,ben@x.org,1
"""
NBGRADER = "id,first_name,last_name,email,lms_user_id\nada,Ada,Lovelace,ada@x.org,12345\nben,Ben,Ågren-Öst,,\n"


# ------------------------------------------------------------------------------------------------------ Canvas


def test_canvas_names_tell_who_and_the_latest_of_several_files_is_taken(place):
    told = place.collect(
        {
            "lovelaceada_12345_700_rnn_captioning.ipynb": notebook("first"),
            "lovelaceada_12345_900_rnn_captioning-2.ipynb": notebook("third"),
            "lovelaceada_12345_800_rnn_captioning-1.ipynb": notebook("second"),
            "ågrenöstben_LATE_77_901_rnn_captioning.ipynb": notebook("ben"),
            "ågrenöstben_LATE_77_902_my_1_2_notes.txt": b"notes",
            "doejane_78_text.html": b"typed",
        }
    )
    assert place.files == {
        "lovelaceada-12345/captioning/rnn_captioning.ipynb": notebook("third"),
        "ågrenöstben-77/captioning/rnn_captioning.ipynb": notebook("ben"),
        "ågrenöstben-77/captioning/my_1_2_notes.txt": b"notes",
    }
    assert "2 taken from Canvas" in told
    assert "lovelaceada_12345_800_rnn_captioning-1.ipynb: lovelaceada_12345_900_rnn_captioning-2.ipynb is taken" in told
    assert "doejane_78_text.html: it is a text or a link" in told
    assert " late" in told


def test_anonymous_grading_in_canvas_gives_anonymous_students(place):
    place.collect({"anon_x1Y2z_55_rnn_captioning.ipynb": NOTEBOOK, "LATE_anon_abcde_56_rnn_captioning.ipynb": NOTEBOOK})
    assert {name.split("/")[0] for name in place.files} == {"anon_x1Y2z", "anon_abcde"}


@pytest.mark.parametrize(
    "text",
    [
        NBGRADER,
        CANVAS,
    ],
    ids=["nbgrader's columns", "Canvas's export of its gradebook"],
)
def test_a_roster_says_which_student_it_is_by_number_or_by_name(place, text):
    files = {
        "lovelaceada_12345_700_rnn_captioning.ipynb": NOTEBOOK,
        "ågrenöstben_77_701_rnn_captioning.ipynb": NOTEBOOK,
        "strangera_99_702_rnn_captioning.ipynb": NOTEBOOK,
    }
    told = place.collect(files, *roster(place, text))
    assert {name.split("/")[0] for name in place.files} == {"ada", "ben"}
    assert "99: the roster knows nobody who is strangera, 99" in told


def test_the_gradebook_is_the_roster_if_it_knows_more_than_ids(course, in_process):
    with course.gradebook() as gradebook:
        gradebook.add_student("ada", first_name="Ada", last_name="Lovelace", lms_user_id="12345")
        gradebook.add_student("known-by-id-alone")
    place = Place(course.folder, in_process)
    place.collect({"lovelaceada_12345_700_rnn_captioning.ipynb": NOTEBOOK})
    assert list(place.files) == ["ada/captioning/rnn_captioning.ipynb"]


def test_a_name_that_two_have_is_nobodys(place):
    text = "id,first_name,last_name\nada1,Ada,Lovelace\nada2,Ada,Lovelace\n"
    told = place.collect({"lovelaceada_12345_700_rnn_captioning.ipynb": NOTEBOOK}, *roster(place, text))
    assert place.files == {}
    assert "lovelaceada could be ada1 and ada2" in told


def test_a_roster_without_students_is_refused(place):
    files = {"lovelaceada_12345_700_rnn_captioning.ipynb": NOTEBOOK}
    assert "lists no students" in place.collect(files, *roster(place, "a,b\n1,2\n"), code=2)
    assert "cannot be read" in place.collect(files, "--roster", place.folder / "none.csv", code=2)


# ------------------------------------------------------------------------------------------------------ Moodle


@pytest.mark.parametrize(
    "name",
    [
        "Ada Lovelace_1234_assignsubmission_file_/rnn_captioning.ipynb",
        "Ada Lovelace_1234_assignsubmission_file/my/work/rnn_captioning.ipynb",
        "Ada Lovelace_1234_assignsubmission_file_rnn_captioning.ipynb",
        "export/Ada Lovelace_1234_assignsubmission_file_/rnn_captioning.ipynb",
    ],
)
def test_moodle_folders_and_flat_names_tell_who(place, name):
    around = "export/" if name.startswith("export/") else ""
    told = place.collect({name: NOTEBOOK, f"{around}Ben X_1235_assignsubmission_onlinetext_/onlinetext.html": b"typed"})
    assert place.files == {"ada-lovelace/captioning/rnn_captioning.ipynb": NOTEBOOK}
    assert "1 taken from Moodle" in told
    assert "typed into Moodle" in told


def test_moodles_grading_worksheet_is_a_roster(place):
    text = (
        "\ufeffIdentifier,Full name,Email address,Status\n"
        "Participant 1234,Ada Lovelace,ada@x.org,Submitted\nParticipant 1235,Ada Lovelace,other@x.org,Submitted\n"
    )
    files = {f"Ada Lovelace_{n}_assignsubmission_file_/rnn_captioning.ipynb": notebook(str(n)) for n in (1234, 1235)}
    place.collect(files, *roster(place, text))
    assert place.files == {
        "ada@x.org/captioning/rnn_captioning.ipynb": notebook("1234"),
        "other@x.org/captioning/rnn_captioning.ipynb": notebook("1235"),
    }


def test_two_of_one_name_are_not_mixed_up_without_a_roster(place):
    files = {f"Ada Lovelace_{n}_assignsubmission_file_/rnn_captioning.ipynb": notebook(str(n)) for n in (1234, 1235)}
    told = place.collect(files)
    assert place.files == {}
    assert "would both be ada-lovelace; give a roster" in told


# -------------------------------------------------------------------------------------------------- Gradescope

METADATA = """---
submission_1:
  :submitters:
  - :name: Ada Lovelace
    :sid: '100'
    :email: Ada@x.org
  - :name: Ben Zero
    :sid:
    :email: ben@x.org
  :created_at: 2026-03-01 12:00:00.500000000 Z
  :results: !ruby/hash:ActiveSupport::HashWithIndifferentAccess
    :tests: []
  :history: []
submission_2:
  :submitters:
  - :name: Ada Lovelace
    :sid: '100'
    :email: Ada@x.org
  :created_at: 2026-03-02 01:00:00 +02:00
"""


def gradescope(files=(), metadata=METADATA):
    root = "assignment_9_export/"
    return {
        root + "submission_metadata.yml": metadata,
        root + "submission_1/rnn_captioning.ipynb": notebook("1"),
        **{root + name: data for name, data in dict(files).items()},
    }


def test_gradescope_tells_who_and_when_and_of_a_group_everybody(place):
    told = place.collect(gradescope({"submission_7/rnn_captioning.ipynb": NOTEBOOK}))
    assert place.files == {
        "100/captioning/rnn_captioning.ipynb": notebook("1"),
        "ben@x.org/captioning/rnn_captioning.ipynb": notebook("1"),
    }
    handed_in = datetime(2026, 3, 1, 12, 0, 0, 500000, UTC)
    assert parse_utc(place.handed_in("100")) == handed_in.replace(tzinfo=None)
    assert "submission_7/rnn_captioning.ipynb: submission_metadata.yml does not say who handed it in" in told


def test_of_several_attempts_the_latest_is_taken_and_told(place):
    told = place.collect(gradescope({"submission_2/rnn_captioning.ipynb": notebook("2")}))
    assert place.files["100/captioning/rnn_captioning.ipynb"] == notebook("2")
    assert "submission_1: 100 has handed in again: submission_2" in told
    assert place.handed_in("100") == "2026-03-01 23:00:00.000000 UTC"


@pytest.mark.parametrize("metadata", ["[1", "- a", "a: !!python/object/apply:os.system ['touch owned']"])
def test_metadata_that_is_broken_or_hostile_is_refused_before_anything_is_written(place, metadata):
    place.collect(gradescope(metadata=metadata), code=2)
    assert not (place.folder / "submitted").exists()
    assert not (place.folder / "owned").exists()


# ---------------------------------------------------------------------------- what is there already, and again


def test_collecting_twice_changes_nothing_and_only_what_is_later_replaces(place):
    place.collect(gradescope())
    told = place.collect(gradescope())
    assert "0 taken from Gradescope, 2 unchanged" in told
    later = METADATA.replace("2026-03-01 12", "2026-03-01 13")
    place.collect({**gradescope(metadata=later), "assignment_9_export/submission_1/rnn_captioning.ipynb": b"later"})
    assert set(place.files.values()) == {b"later"}
    told = place.collect(gradescope())
    assert "as late or later" in told
    assert set(place.files.values()) == {b"later"}
    place.collect(gradescope(), "--replace")
    assert set(place.files.values()) == {notebook("1")}


def test_a_later_file_of_canvas_replaces_an_earlier_and_not_the_other_way(place):
    first = {"lovelaceada_12345_700_rnn_captioning.ipynb": notebook("first")}
    second = {"lovelaceada_12345_800_rnn_captioning-1.ipynb": notebook("second")}
    for files, expected in ((first, "first"), (second, "second"), (first, "second")):
        place.collect(files)
        assert list(place.files.values()) == [notebook(expected)]


def test_what_cannot_be_compared_is_kept_unless_the_instructor_says_so(place):
    folder = place.folder / "submitted" / "ada-lovelace" / "captioning"
    folder.mkdir(parents=True)
    (folder / "rnn_captioning.ipynb").write_bytes(b"by hand")
    files = {"Ada Lovelace_1_assignsubmission_file_/rnn_captioning.ipynb": NOTEBOOK}
    assert "cannot be told which is later; --replace takes this one" in place.collect(files)
    assert list(place.files.values()) == [b"by hand"]
    place.collect(files, "--replace")
    assert list(place.files.values()) == [NOTEBOOK]


def test_a_submission_is_written_whole_or_not_at_all(place, monkeypatch):
    place.collect(gradescope())
    before = place.files
    rename = type(place.folder).rename

    def fails(self, target):
        if self.parent.name == "made":
            raise OSError(28, "No space left on device", str(target))
        return rename(self, target)

    monkeypatch.setattr(type(place.folder), "rename", fails)
    later = METADATA.replace("2026-03-01 12", "2026-03-01 13")
    files = {**gradescope(metadata=later), "assignment_9_export/submission_1/rnn_captioning.ipynb": b"later"}
    assert "No space left on device" in place.collect(files, code=1)
    monkeypatch.undo()
    assert place.files == before
    assert [path.name for path in (place.folder / "submitted").iterdir() if path.name.startswith(".")] == []


# ------------------------------------------------------------------------------------- what people hand in

UPLOAD = "Ada Lovelace_1_assignsubmission_file_/"


def handed_in(place, files, *options):
    """Collect what Ada handed in; returns her files, and what was said."""
    told = place.collect([(UPLOAD + name, data) for name, data in files], *options)
    return {name.removeprefix("ada-lovelace/captioning/"): data for name, data in place.files.items()}, told


def test_notebooks_come_out_of_folders_and_zips_and_get_their_names_again(place):
    inner = zipped({"hw/RNN_Captioning (1).ipynb": notebook("rnn"), "hw/data/scores.csv": b"1", "hw/more.ipynb": b"2"})
    files, told = handed_in(place, [("deep/er/work.zip", inner), ("deep/er/lstm_captioning.ipynb", notebook("lstm"))])
    assert files == {
        "rnn_captioning.ipynb": notebook("rnn"),
        "data/scores.csv": b"1",
        "more.ipynb": b"2",
        "lstm_captioning.ipynb": notebook("lstm"),
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


def test_a_student_does_not_write_the_time_of_handing_in(place):
    files, told = handed_in(
        place, [("rnn_captioning.ipynb", NOTEBOOK), ("Timestamp.txt", b"2000-01-01"), (".collected.json", b"{}")]
    )
    assert files == {"rnn_captioning.ipynb": NOTEBOOK}
    assert told.count("a file of this name is written by the course itself") == 2
    assert not (place.folder / "submitted" / "ada-lovelace" / "captioning" / "timestamp.txt").exists()


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
    inner = zipped([(info(name, mode), b"/etc/passwd"), ("fine.ipynb", NOTEBOOK)])
    files, told = handed_in(place, [("work.zip", inner)])
    assert files == {"fine.ipynb": NOTEBOOK}
    assert reason in told
    new = {path for path in set(place.folder.parent.rglob("*")) - before if path.is_file()}
    assert {path.name for path in new} == {"submissions.zip", "fine.ipynb", ".collected.json"}


def test_a_file_that_lies_about_its_size_is_damaged(place):
    data = bytearray(zipped({UPLOAD + "bomb.bin": bytes(100 << 20), UPLOAD + "rnn_captioning.ipynb": NOTEBOOK}))
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
    many = zipped({f"{number}.bin": bytes(600 << 10) for number in range(3)} | {"0.ipynb": NOTEBOOK})
    files, told = handed_in(place, [("many.zip", many)])
    assert set(files.values()) == {NOTEBOOK, bytes(600 << 10)}
    assert told.count("with it, the submission has more than 1 MiB") == 2


def test_a_zip_of_very_many_files_is_not_even_listed(place, monkeypatch):
    monkeypatch.setattr(layout, "MAX_FILES", 3)
    monkeypatch.setattr(archive, "MAX_LISTED", 5)
    some, many = (zipped({f"{number}.txt": b"x" for number in range(count)}) for count in (5, 6))
    files, told = handed_in(place, [("some.zip", some), ("many.zip", many), ("more.txt", b"x")])
    assert set(files) == {"0.txt", "1.txt", "2.txt"}
    assert "many.zip: it is a zip of more than 5 files" in told
    assert "some.zip/3.txt: the zip holds more than 3 files; this one and those behind it" in told
    assert "more.txt: the submission has more than 3 files" in told


def test_zips_in_zips_in_zips_are_left(place):
    innermost = zipped({"rnn_captioning.ipynb": NOTEBOOK})
    files, told = handed_in(
        place, [("a.zip", zipped({"b.zip": innermost, "x.txt": b"x"})), ("c.zip", b"PK\3\4 broken")]
    )
    assert files == {"x.txt": b"x"}
    assert "a zip in a zip" in told
    assert "c.zip: it is no zip that can be opened" in told


def test_a_damaged_file_and_an_encrypted_one_are_told_and_the_others_taken(place):
    data = bytearray(
        zipped({UPLOAD + "rnn_captioning.ipynb": NOTEBOOK, UPLOAD + "x.txt": b"x" * 50, UPLOAD + "y": b"y"})
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
    raw = zipped({"#" * len(ada.encode()) + "_1_assignsubmission_file_/rnn_captioning.ipynb": NOTEBOOK})
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
        (zipped({"a/notes.txt": b""}), "none that Canvas, Moodle or Gradescope gives"),
        (zipped({}), "none that Canvas, Moodle or Gradescope gives"),
    ],
)
def test_what_is_no_zip_of_a_class_is_refused(place, data, told):
    assert told in place.collect(data, code=2)
    assert not (place.folder / "submitted").exists()


def test_ids_that_are_no_folders_are_left(place):
    text = "id,lms_user_id\n../../x,1\n.hidden,2\n,3\n"
    files = {f"a_{number}_700_rnn_captioning.ipynb": NOTEBOOK for number in (1, 2, 3)}
    told = place.collect(files, *roster(place, text))
    assert place.files == {}
    assert told.count("is no name that a folder may have") == 2


def test_what_was_collected_is_graded(place, student):
    place.collect({"lovelaceada_12345_700_rnn_captioning-3.ipynb": student.text.encode()})
    done = place.run("grade", "captioning", cwd=place.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "46 of 46 points" in done.stdout
    assert "lovelaceada-12345" in done.stdout
