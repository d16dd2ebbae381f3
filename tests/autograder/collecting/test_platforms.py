"""Zips of a class as Canvas, Moodle and Gradescope give them: whose each file is, and which of several is later."""

from datetime import UTC, datetime

import pytest
from nbgrader.utils import parse_utc

NOTEBOOK = b"a notebook"


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
            "lovelaceada_12345_700_rnn_captioning.ipynb": b"first",
            "lovelaceada_12345_900_rnn_captioning-2.ipynb": b"third",
            "lovelaceada_12345_800_rnn_captioning-1.ipynb": b"second",
            "ågrenöstben_LATE_77_901_rnn_captioning.ipynb": b"ben",
            "ågrenöstben_LATE_77_902_my_1_2_notes.txt": b"notes",
            "doejane_78_text.html": b"typed",
        }
    )
    assert place.files == {
        "lovelaceada-12345/captioning/rnn_captioning.ipynb": b"third",
        "ågrenöstben-77/captioning/rnn_captioning.ipynb": b"ben",
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
        NBGRADER.replace(",", ";"),
    ],
    ids=["nbgrader's columns", "Canvas's export of its gradebook", "nbgrader's columns between semicolons"],
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


def test_the_gradebook_is_the_roster_if_it_knows_more_than_ids(course, place_in):
    with course.gradebook() as gradebook:
        gradebook.add_student("ada", first_name="Ada", last_name="Lovelace", lms_user_id="12345")
        gradebook.add_student("known-by-id-alone")
    place = place_in(course.folder)
    place.collect({"lovelaceada_12345_700_rnn_captioning.ipynb": NOTEBOOK})
    assert list(place.files) == ["ada/captioning/rnn_captioning.ipynb"]


def test_a_name_that_two_have_is_nobodys(place):
    text = "id,first_name,last_name\nada1,Ada,Lovelace\nada2,Ada,Lovelace\n"
    told = place.collect({"lovelaceada_12345_700_rnn_captioning.ipynb": NOTEBOOK}, *roster(place, text))
    assert place.files == {}
    assert "lovelaceada could be ada1 and ada2" in told


def test_a_roster_without_students_is_refused(place):
    files = {"lovelaceada_12345_700_rnn_captioning.ipynb": NOTEBOOK}
    assert "lists no students; its columns are: a, b." in place.collect(files, *roster(place, "a,b\n1,2\n"), code=2)
    assert "cannot be read" in place.collect(files, "--roster", place.folder / "none.csv", code=2)
    (place.folder / "latin.csv").write_bytes("id,first_name\nada,\xc5da\n".encode("latin-1"))
    assert "Save it as CSV in UTF-8" in place.collect(files, "--roster", place.folder / "latin.csv", code=2)


def test_ids_that_are_no_folders_are_left(place):
    text = "id,lms_user_id\n../../x,1\n.hidden,2\n,3\n"
    files = {f"a_{number}_700_rnn_captioning.ipynb": NOTEBOOK for number in (1, 2, 3)}
    told = place.collect(files, *roster(place, text))
    assert place.files == {}
    assert told.count("is no name that a folder may have") == 2


def test_ids_that_cannot_be_kept_or_are_an_assignments_are_left(place):
    (place.folder / "source" / "other").mkdir()
    (place.folder / "source" / "other" / "other.ipynb").write_bytes(NOTEBOOK)
    text = f"id,lms_user_id\nCaptioning,1\nother,2\n{'e' * 129},3\n{'e' * 128},4\n{'é' * 126},5\n"
    files = {f"a_{number}_700_rnn_captioning.ipynb": NOTEBOOK for number in range(1, 6)}
    told = place.collect(files, *roster(place, text))
    assert list(place.files) == [f"{'e' * 128}/captioning/rnn_captioning.ipynb"]
    assert told.count("is the name of an assignment; give a roster that calls them otherwise") == 2
    assert told.count("an id has at most 128 characters and 250 bytes; give a roster with a shorter id") == 2


def test_a_file_called_like_those_of_moodle_leaves_a_zip_of_canvas_what_it_is(place):
    told = place.collect(
        {
            "lovelaceada_1_700_rnn_captioning.ipynb": NOTEBOOK,
            "mallory_2_701_x_1_assignsubmission_file_rnn_captioning.ipynb": b"hers",
        }
    )
    assert place.files == {
        "lovelaceada-1/captioning/rnn_captioning.ipynb": NOTEBOOK,
        "mallory-2/captioning/x_1_assignsubmission_file_rnn_captioning.ipynb": b"hers",
    }
    assert "2 taken from Canvas" in told


# ------------------------------------------------------------------------------------------------------ Moodle


@pytest.mark.parametrize(
    "name",
    [
        "Ada Lovelace_1234_assignsubmission_file_/rnn_captioning.ipynb",
        "Ada Lovelace_1234_assignsubmission_file/my/answers/rnn_captioning.ipynb",
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
    files = {f"Ada Lovelace_{n}_assignsubmission_file_/rnn_captioning.ipynb": str(n).encode() for n in (1234, 1235)}
    place.collect(files, *roster(place, text))
    assert place.files == {
        "ada@x.org/captioning/rnn_captioning.ipynb": b"1234",
        "other@x.org/captioning/rnn_captioning.ipynb": b"1235",
    }


def test_a_file_called_like_anothers_is_whose_it_is(place):
    text = "Identifier,Full name,Email address\nParticipant 9,Ben,ben@x.org\nParticipant 55,Eve,eve@x.org\n"
    called = "x_9_assignsubmission_file_rnn_captioning.ipynb"
    files = {
        "Ben_9_assignsubmission_file_rnn_captioning.ipynb": b"his",
        f"Eve_55_assignsubmission_file_{called}": b"hers",
    }
    place.collect(files, *roster(place, text))
    assert place.files == {
        "ben@x.org/captioning/rnn_captioning.ipynb": b"his",
        f"eve@x.org/captioning/{called}": b"hers",
    }


def test_one_participant_under_two_names_is_neither(place):
    """As somebody would be who is called so as to be read as another."""
    text = "Identifier,Full name,Email address\nParticipant 9,Ben,ben@x.org\nParticipant 7,Zoe,zoe@x.org\n"
    names = ("Ben_9", "x_9_assignsubmission_file_Eve_55", "Zoe_7")
    files = {f"{name}_assignsubmission_file_rnn_captioning.ipynb": name.encode() for name in names}
    told = place.collect(files, *roster(place, text))
    assert place.files == {"zoe@x.org/captioning/rnn_captioning.ipynb": b"Zoe_7"}
    assert told.count("9 is one participant, and is called Ben and x") == 2


def test_two_of_one_name_are_not_mixed_up_without_a_roster(place):
    files = {f"Ada Lovelace_{n}_assignsubmission_file_/rnn_captioning.ipynb": str(n).encode() for n in (1234, 1235)}
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
        root + "submission_1/rnn_captioning.ipynb": b"1",
        **{root + name: data for name, data in dict(files).items()},
    }


def test_gradescope_tells_who_and_when_and_of_a_group_everybody(place):
    told = place.collect(gradescope({"submission_7/rnn_captioning.ipynb": NOTEBOOK}))
    assert place.files == {
        "100/captioning/rnn_captioning.ipynb": b"1",
        "ben@x.org/captioning/rnn_captioning.ipynb": b"1",
    }
    handed_in = datetime(2026, 3, 1, 12, 0, 0, 500000, UTC)
    assert parse_utc(place.handed_in("100")) == handed_in.replace(tzinfo=None)
    assert "submission_7/rnn_captioning.ipynb: submission_metadata.yml does not say who handed it in" in told


def test_of_several_attempts_the_latest_is_taken_and_told(place):
    told = place.collect(gradescope({"submission_2/rnn_captioning.ipynb": b"2"}))
    assert place.files["100/captioning/rnn_captioning.ipynb"] == b"2"
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
    assert set(place.files.values()) == {b"1"}


def test_a_later_file_of_canvas_replaces_an_earlier_and_not_the_other_way(place):
    first = {"lovelaceada_12345_700_rnn_captioning.ipynb": b"first"}
    second = {"lovelaceada_12345_800_rnn_captioning-1.ipynb": b"second"}
    for files, expected in ((first, "first"), (second, "second"), (first, "second")):
        place.collect(files)
        assert list(place.files.values()) == [expected.encode()]


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
