"""What is handed in beside the notebooks: what of it is copied, and where the words of a notebook may lead."""

import errno
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from autograder.gradebook import beside
from autograder.gradebook.beside import copy_beside, handed_in_at
from autograder.gradebook.sealed import markdown2html

IGNORED = ["__pycache__"]


@pytest.fixture
def submitted(tmp_path):
    (tmp_path / "ada" / "captioning").mkdir(parents=True)
    return tmp_path / "ada" / "captioning"


@pytest.fixture
def place(tmp_path):
    """Where the autograded notebooks are, with a figure that was given out."""
    (tmp_path / "made" / "figures").mkdir(parents=True)
    (tmp_path / "made" / "figures" / "given.png").write_text("given")
    return tmp_path / "made"


def put(folder, *names, content="mine"):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def files(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def added(place):
    return set(files(place)) - {"figures/given.png"}


# Copies --------------------------------------------------------------------------------------------------


def test_only_what_a_browser_does_not_run_is_copied(submitted, place):
    kept = {"a.PNG", "plots/b.jpg", "notes.txt", "data.csv", "data.json", "x.npy", "weights.h5"}
    others = ["a.html", "a.htm", "a.xhtml", "a.svg", "a.svgz", "a.xml", "a.js", "a.pdf", "a.png.html", "none", ".txt"]
    put(submitted, *kept, *others, "numpy.py", "a.mht", "Copy.ipynb", "x.ipynb/a.txt", "__pycache__/a.txt")
    assert copy_beside(submitted, place, IGNORED) == []
    assert added(place) == kept


def test_what_was_given_out_comes_before_a_file_of_that_name_and_before_one_with_the_name_of_its_folder(
    submitted, place
):
    put(submitted, "figures/given.png", "figures/mine.png", "figures.txt/a.txt", "b.txt")
    put(place, "figures.txt", content="given")
    assert copy_beside(submitted, place, IGNORED) == ["figures.txt/a.txt"]
    assert files(place) == dict.fromkeys(("figures/given.png", "figures.txt"), "given") | dict.fromkeys(
        ("figures/mine.png", "b.txt"), "mine"
    )


def test_links_and_pipes_are_not_copied(submitted, place, tmp_path):
    put(tmp_path, "secret/a.txt", content="secret")
    (submitted / "a.txt").symlink_to(tmp_path / "secret" / "a.txt")
    (submitted / "folder").symlink_to(tmp_path / "secret")
    os.mkfifo(submitted / "pipe.txt")
    assert copy_beside(submitted, place, IGNORED) == ["pipe.txt"]
    linked = tmp_path / "eve"
    linked.symlink_to(submitted.parent)
    put(submitted, "b.txt")
    copy_beside(linked / "captioning", place, IGNORED)
    assert added(place) == set()


def test_what_is_too_large_or_one_too_many_is_left_out_and_named(submitted, place, monkeypatch):
    with (submitted / "hole.npy").open("wb") as file:
        file.truncate(1 << 40)
    put(submitted, "a.txt", "b.txt", "z.txt", content="12345")
    put(submitted, "c\x1b[31m.txt", content="")
    monkeypatch.setattr(beside, "MAX_BYTES", 12)
    assert copy_beside(submitted, place, IGNORED) == ["hole.npy", "z.txt"]
    monkeypatch.setattr(beside, "MAX_FILES", 1)
    assert copy_beside(submitted, place / "other", IGNORED) == ["b.txt", "c\ufffd[31m.txt", "hole.npy", "z.txt"]


def test_a_name_that_is_too_long_costs_its_file_and_a_full_disk_the_run(submitted, place, monkeypatch):
    put(submitted, "a.txt", "b.txt")

    def fails_with(number):
        def write(*_):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(Path, "write_bytes", write)

    fails_with(errno.ENAMETOOLONG)
    assert copy_beside(submitted, place, IGNORED) == ["a.txt", "b.txt"]
    fails_with(errno.ENOSPC)
    with pytest.raises(OSError, match="No space left"):
        copy_beside(submitted, place, IGNORED)


# The time ------------------------------------------------------------------------------------------------


def test_the_time_of_handing_in_is_read_and_one_that_was_not_noted_is_not_known(submitted):
    assert handed_in_at(submitted) is None
    put(submitted, "timestamp.txt", content="")
    assert handed_in_at(submitted) is None
    put(submitted, "timestamp.txt", content="2030-01-02 03:04:05 UTC\n")
    assert handed_in_at(submitted).isoformat() == "2030-01-02T03:04:05"


def test_a_pipe_a_folder_a_link_and_other_words_are_no_time(submitted):
    time = submitted / "timestamp.txt"
    put(submitted, "other.txt", content="2030-01-02 03:04:05 UTC")
    for make in (os.mkfifo, os.mkdir, lambda path: path.symlink_to("other.txt"), lambda path: path.write_text("soon")):
        make(time)
        with pytest.raises(ValueError, match=r"\w"):
            handed_in_at(submitted)
        time.rename(submitted / f"done-{make}".replace("/", ""))


def test_no_more_is_read_of_a_time_than_it_may_be_long(submitted):
    put(submitted, "timestamp.txt", content="2030-01-02 03:04:05 UTC" + " " * beside.MAX_TIME + "or later")
    with (submitted / "timestamp.txt").open("r+b") as file:
        file.truncate(1 << 40)
    assert handed_in_at(submitted).year == 2030


# Words ---------------------------------------------------------------------------------------------------


def rendered(source, attachments=()):
    return markdown2html(SimpleNamespace(get=lambda *_: {"attachments": dict(attachments)}), source)


ELSEWHERE = (
    *("/hub/logout", "//example.org/a.png", "../a.png", "a/../../b.png", "..", "../../../../../hub/logout"),
    *("%2fhub/logout", "%2e%2e/a.png", ".%2E/a.png", "..%2fa.png", "%252e%252e/a.png", "./../a.png", "./%2e%2e/a.png"),
    *("\\hub\\logout", "..\\a.png", "%5chub/a.png", "a%5c..%5c..%5cb.png", "&#47;hub/a.png", "&#46;&#46;/a.png"),
    *("%09/hub/a.png", ".%0a./a.png", "a.png%00", "file:///etc/passwd", "http:hub/a.png", "https:/hub/a.png", "?a.png"),
)


@pytest.mark.parametrize("url", ELSEWHERE)
def test_neither_a_picture_nor_a_link_leaves_the_folder_of_the_notebook(url):
    for source in (f"![words]({url})", f"![words][1]\n\n[1]: {url}"):
        assert "<img" not in rendered(source)
        assert "from elsewhere" in rendered(source)
    for source in (f"[words]({url})", f"[words][1]\n\n[1]: {url}"):
        assert "<a" not in rendered(source)
        assert "words [a link to" in rendered(source)


@pytest.mark.parametrize("url", ["figures/step.svg", "a.png", "./a.png", "my%20plot.png", "plots/mein-bild-ä.PNG"])
def test_a_picture_beside_the_notebook_is_shown(url):
    assert "<img" in rendered(f"![words]({url})")


def test_a_picture_from_another_site_is_not_shown_and_an_attached_one_is():
    assert "<img" not in rendered("![words](https://example.org/a.png)")
    assert 'src="data:image/png;base64,aGk="' in rendered("![](attachment:a.png)", {"a.png": {"image/png": "aGk="}})
    assert "<img" not in rendered("![](attachment:b.png)")


@pytest.mark.parametrize("url", ["a.html", "a.svg", "A.HTM", "a.png/b.xml", "a.%68tml", "a.pdf", "folder/", "none"])
def test_a_link_to_what_a_browser_would_run_is_text(url):
    assert "<a" not in rendered(f"[my figure]({url})")
    assert "my figure [a link to" in rendered(f"[my figure]({url})")


@pytest.mark.parametrize("url", ["a.png", "my%20notes.txt", "other.ipynb", "#place", "https://example.org/a.html"])
def test_a_link_to_a_harmless_file_a_place_or_another_site_stays(url):
    assert f'<a href="{url}">words</a>' in rendered(f"[words]({url})")


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "vbscript:x", "java&#10;script:x"])
def test_a_link_that_would_run_is_text(url):
    assert "<a" not in rendered(f"[words]({url})")


# Both ways of grading ------------------------------------------------------------------------------------


def test_stray_files_and_pipes_cost_nobody_anything_by_either_way(course, tmp_path):
    for student in ("ada", "eve", "zed"):
        course.hand_in(student, {"rnn_captioning.ipynb": b"{"})
    other = course.copy(tmp_path / "other")
    for each in (course, other):
        eve = each.folder / "submitted" / "eve" / "captioning"
        put(eve, "figures", "page.html", "notes.txt", "lstm_captioning.ipynb/a.txt")
        os.mkfifo(eve / "pipe.txt")
        os.mkfifo(eve / "timestamp.txt")
        with (eve / "hole.npy").open("wb") as file:
            file.truncate(1 << 40)
    told = course.autograder("grade", "captioning", "--jobs", "1")
    assert "eve: timestamp.txt holds no time" in told
    assert "eve: 3 of the files beside the notebooks cannot be copied" in told
    assert "(hole.npy, pipe.txt, timestamp.txt)" in told
    other.nbgrader("autograde", "captioning")
    other.nbgrader("autograde", "captioning")  # the second time it looks whether there is something newer
    for each in (course, other):
        ada, eve, zed = (each.folder / "autograded" / name / "captioning" for name in ("ada", "eve", "zed"))
        assert json.loads((zed / "rnn_captioning.ipynb").read_text())["cells"]
        assert set(files(ada)) == set(files(zed))
        assert set(files(eve)) == set(files(ada)) | {"notes.txt"}
