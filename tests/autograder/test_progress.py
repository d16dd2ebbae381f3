"""What is seen of a run while it goes on: in a terminal, in a file, by a machine."""

import io
import json
import os
import pty
import subprocess
import sys
from contextlib import suppress

import jsonschema
import pytest
from rich.console import Console

from autograder.course import HOME
from autograder.outcomes import Report, Status
from autograder.progress import Tally, watched
from autograder.terminal import show_class

RNN = "rnn_captioning.ipynb"
SCHEMA = json.loads((HOME / "docs" / "report.schema.json").read_text(encoding="utf-8"))


@pytest.fixture
def results(submission_of):
    return [
        submission_of("ada", [True]),
        submission_of("[red]ben", [None], status=Status.UNREADABLE),
        submission_of("eve", [True, False], problems=["cell 7"]),
        submission_of("zoe", [True], failure="broken"),
    ]


def test_without_a_terminal_there_is_a_plain_line_for_each(results):
    file = io.StringIO()
    assert list(watched(results, 4, Console(file=file, width=20))) == results
    assert file.getvalue().splitlines() == [
        "1/4 ada: graded, 10/10",
        "2/4 [red]ben: unreadable, 0/10",
        "3/4 eve: partly, 10/20",
        "4/4 zoe: failed",
    ]


def test_a_table_of_the_class_tells_long_names_apart_and_gives_a_failure_no_score(results, submission_of):
    file = io.StringIO()
    long = [submission_of(f"{'a' * 60}{n}", [True]) for n in range(2)]
    show_class([*long, results[-1]], Console(file=file, width=60))
    lines = file.getvalue().splitlines()
    names = [line.split()[0] for line in lines if line.strip()]
    assert any(name.endswith("a0") for name in names)
    assert any(name.endswith("a1") for name in names)
    assert next(line for line in lines if "zoe" in line).split() == ["zoe", "failed", "✓", "-"]


def test_one_submission_alone_shows_no_progress(results):
    file = io.StringIO()
    assert list(watched(results[:1], 1, Console(file=file))) == results[:1]
    assert file.getvalue() == ""


def test_a_terminal_shows_a_bar_with_rate_time_left_and_tally(results):
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=150, color_system=None)
    list(watched(results, 4, console))
    for word in ("grading", "4/4", "/s", "0:00:00", "1 graded, 1 partly, 1 unreadable, 1 failed"):
        assert word in file.getvalue()


def test_a_machine_gets_a_line_of_json_for_each_and_the_console_no_lines(results):
    file, lines, tally = io.StringIO(), io.StringIO(), Tally()
    list(watched(results, 4, Console(file=file), tally=tally, lines=lines))
    assert file.getvalue() == ""
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert told == json.loads(Report("gates", results).to_json())["submissions"]
    assert [each.student for each in tally.failed] == ["zoe"]


def test_the_command_prints_json_lines_and_nothing_else_also_of_what_has_not_changed(course):
    for name in ("ada", "ben"):
        course.hand_in(name, {RNN: b"{"})
    command = [sys.executable, "-m", "autograder", "grade", "captioning", "--json-lines"]
    for _ in range(2):
        done = subprocess.run(command, cwd=course.folder, capture_output=True, text=True, check=True)
        found = [json.loads(line) for line in done.stdout.splitlines()]
        assert sorted(each["student"] for each in found) == ["ada", "ben"]
        report = {"schema": 1, "assignment": "captioning", "kit": "1", "submissions": found}
        jsonschema.validate(report, SCHEMA)
        assert "gradebook: " in done.stderr
    assert "2 had been graded before" in done.stderr


def test_very_many_are_counted_and_not_listed(course):
    for number in range(101):
        course.hand_in(f"s{number}", {RNN: b"{"})
    told = course.autograder("grade", "captioning", "--json", "all.json")
    assert "101/101 " in told
    assert "101 unreadable" in told
    assert "autograder report captioning" in told
    report = json.loads((course.folder / "all.json").read_text())
    jsonschema.validate(report, SCHEMA)
    assert [each["student"] for each in report["submissions"]] == sorted(f"s{number}" for number in range(101))


def test_the_bar_of_the_command_in_a_terminal(tmp_path):
    for name in ("ada", "ben", "eve"):
        folder = tmp_path / name / "captioning"
        folder.mkdir(parents=True)
        (folder / RNN).write_bytes(b"{")
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "140"}
    command = [sys.executable, "-m", "autograder", "grade", "captioning", str(tmp_path)]
    run = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=theirs, stderr=theirs)
    os.close(theirs)
    told = b""
    with suppress(OSError), open(ours, "rb", buffering=0) as screen:  # noqa: PTH123 - a descriptor
        while part := screen.read(4096):
            told += part
    assert run.wait() == 0
    assert b"3/3" in told
    assert b"3 unreadable" in told
