"""The dashboard and the students' pages as text: what stands in them, and what must not."""

import json
import re
import shutil
import time
import tomllib
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from autograder.course import HOME
from autograder.errors import UsageError
from autograder.outcomes import Status, SubmissionResult
from autograder.pages import dashboard, student_page
from autograder.pages.statistics import ClassStatistics, correlation
from autograder.reporting import write_pages
from autograder.results import Fingerprint, Kept, Results

HOSTILE = "<img src=x onerror=alert(1)>\x1b[31m\u202eada\u200f&amp;\"'"
VOID = {"meta", "img", "br", "hr", "input", "link"}


class Page(HTMLParser):
    """Reads a page; fails unless every element is closed in its turn."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.links, self.words = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        attributes = dict(attrs)
        assert not [name for name in attributes if name.startswith("on")]
        self.links += [attributes[name] for name in ("href", "src", "action", "data") if name in attributes]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in {"style", "title"}:
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.words))


def figures(page):
    """The head figures of a dashboard by their labels."""
    found = re.findall(r'<div class="value number">(.*?)</div><div class="label">(.*?)</div>', page)
    return {label: value for value, label in found}


def test_the_head_figures_of_a_class_are_right(report_of, submission_of):
    page = dashboard(
        report_of(
            submission_of("ada", [True, True, True]),
            submission_of("ben", [True, False, False], problems=["cell 3, line 1: not valid Python"]),
            submission_of("eve", [None, None, None], problems=["it is no notebook"], status=Status.UNREADABLE),
        )
    )
    Page(page)
    told = {"submissions": "3", "mean": "13.33", "median": "10", "graded": "1", "partly": "1", "unreadable": "1"}
    assert figures(page) == told


def test_every_question_tells_how_many_passed_and_how_it_was_judged(report_of, submission_of):
    statistics = ClassStatistics.of(
        report_of(
            submission_of("ada", [True, "sign turned"], [True]),
            submission_of("ben", [False, "sign turned"]),
            submission_of("eve", [None, None]),
            submission_of("zoe", [True, True], judged_with="reference: step"),
        ).submissions
    )
    first, _, extra = statistics.questions
    assert (first.outcomes["passed"], first.outcomes["failed"], first.outcomes["not judged"]) == (2, 1, 1)
    assert first.pass_rate == 0.5
    assert first.judged == {"own": 2, "lent": 1}
    assert statistics.mistakes == {"sign turned": [0, 2, 0]}
    assert (extra.submissions, extra.pass_rate) == (1, 1.0)


def test_extra_credit_that_was_not_handed_in_is_not_counted_against_a_question(report_of, submission_of):
    without = submission_of("ben", [True], [None])
    first, second = without.notebooks
    absent = SubmissionResult.of("ben", (first, replace(second, status=Status.ABSENT)), 1.0)
    statistics = ClassStatistics.of(report_of(submission_of("ada", [True], [True]), absent).submissions)
    assert [question.submissions for question in statistics.questions] == [2, 1]
    assert absent.status is Status.GRADED


def test_discrimination_is_the_correlation_with_the_rest_and_silent_where_that_says_nothing(report_of, submission_of):
    class_ = [submission_of(f"s{n}", [n >= 10, n >= 10, n < 10, True]) for n in range(20)]
    first, _, third, fourth = ClassStatistics.of(class_).questions
    # By hand: the rest of the first question is 20 points, whether passed (second, fourth) or not (third, fourth).
    assert (first.discrimination, first.silence) == (None, "rest the same")
    assert (fourth.discrimination, fourth.silence) == (None, "all the same")
    assert third.discrimination == pytest.approx(-1.0)
    assert correlation([0, 10] * 5, [3, 1] * 5)[0] == pytest.approx(-1.0)
    assert correlation([0, 10] * 5, [1, 1, 2, 2, 3, 3, 4, 4, 5, 5])[0] == pytest.approx(0.0)
    assert correlation([0, 10] * 4, [1, 2] * 4) == (None, "too few")
    page = Page(dashboard(report_of(*class_))).text
    assert "Discrimination is the correlation between the points of a question and the points of all other" in page
    for word in ("all the same", "rest the same", "\N{MINUS SIGN}1.00"):
        assert word in page


@pytest.mark.parametrize("answers", [[], [[True, True]], [[True, True]] * 12, [[False, False]] * 12, [[None, None]]])
def test_a_class_that_is_empty_or_alike_has_a_page_too(report_of, submission_of, answers):
    page = dashboard(report_of(*(submission_of(f"s{n}", each) for n, each in enumerate(answers))))
    text = Page(page).text
    assert "nan" not in text
    assert figures(page)["submissions"] == str(len(answers))
    assert ("Nothing has been graded yet" in text) == (not answers)


def test_a_failure_of_the_grader_is_loud_and_no_figure_counts_it(report_of, submission_of):
    page = dashboard(report_of(submission_of("ada", [True]), submission_of("ben", [False], failure="ValueError: x")))
    told = {"submissions": "1", "mean": "10", "median": "10", "graded": "1", "partly": "0", "unreadable": "0"}
    assert figures(page) == told
    text = Page(page).text
    assert "The grader itself failed on 1" in text
    assert "ValueError: x" in text
    theirs = Page(student_page("gates", submission_of("ben", [False], failure="ValueError: x"))).text
    assert "This is no grade yet" in theirs
    assert "ValueError" not in theirs


def test_whatever_comes_from_a_student_stands_there_as_text(report_of, submission_of):
    submission = submission_of(HOSTILE, [True, HOSTILE], problems=[HOSTILE, "<script>alert(2)</script>"])
    report = report_of(submission)
    for page in (dashboard(report, {HOSTILE: "a.html"}), dashboard(report), student_page("gates", submission)):
        read = Page(page)
        assert {"img", "script"}.isdisjoint(read.tags)
        assert "<img src=x onerror=alert(1)>" in read.text
        assert not set("\x1b\u202e\u200f") & set(page)
        assert all(link.startswith("#") or link == "a.html" for link in read.links)


def test_a_students_page_says_what_is_wrong_where_and_what_to_try(submission_of):
    text = Page(student_page("gates", submission_of("ada", [True, "sign turned"], problems=["cell 7, line 3: x"]))).text
    for words in (
        *("ada", "10 of 20 points", "cell 7, line 3: x", "first_2 holds.", "Seed 123", "Look again."),
        *("dx is wrong: relative error 1.2e+00, limit 1e-06", "A known mistake: sign turned"),
        *(
            "Where dx is wrong. Right in row 1.",
            "Shape (2, 3, 5): rows are axis 1, columns axis 2; the worst over axis 0.",
        ),
    ):
        assert words in text


def test_a_students_page_names_nobody_else_and_links_to_nothing(submission_of):
    page = Page(student_page("gates", submission_of("ada", [True, False])))
    assert page.links
    assert all(link.startswith("#") for link in page.links)
    assert "ben" not in page.text


def test_a_class_of_ten_thousand_has_a_page_of_less_than_a_megabyte_in_seconds(report_of, submission_of):
    kinds = [[True] * 8, [True, "sign turned"] * 4, [None] * 8]
    class_ = [
        submission_of(f"student-number-{n}", kinds[n % 3], problems=["cell 1: " + "x" * 400] * 8 * (n % 3 == 2))
        for n in range(10_000)
    ]
    started = time.process_time()
    page = dashboard(report_of(*class_), {each.student: f"gates/{each.student}.html" for each in class_})
    assert time.process_time() - started < 10
    assert len(page.encode()) < 1_000_000
    assert figures(page)["submissions"] == "10000"
    assert "And 3283 more." in Page(page).text


def test_the_pages_of_a_class_are_linked_and_those_of_students_who_left_are_removed(tmp_path, report_of, submission_of):
    from rich.console import Console

    (tmp_path / "gates").mkdir()
    (tmp_path / "gates" / "left.html").write_text(student_page("gates", submission_of("left", [True])))
    report = report_of(submission_of("ada & ben", [True]), submission_of("100% #1?", [True]))
    write_pages(report, tmp_path / "gates.html", Console(quiet=True))
    assert {path.name for path in (tmp_path / "gates").iterdir()} == {"ada & ben.html", "100% #1?.html"}
    links = Page((tmp_path / "gates.html").read_text()).links
    assert {"gates/ada%20%26%20ben.html", "gates/100%25%20%231%3F.html"} <= set(links)
    with pytest.raises(UsageError, match=r"Call it gates\.html"):
        write_pages(report, tmp_path / "gates.csv", Console(quiet=True))


def test_pages_that_somebody_else_made_stay_where_they_are(tmp_path, report_of, submission_of):
    from rich.console import Console

    syllabus = tmp_path / "site" / "syllabus.html"
    syllabus.parent.mkdir()
    syllabus.write_text("<!DOCTYPE html><title>Syllabus</title>")
    write_pages(report_of(submission_of("ada", [True])), tmp_path / "site.html", Console(quiet=True))
    assert {path.name for path in syllabus.parent.iterdir()} == {"ada.html", "syllabus.html"}


def test_a_package_that_is_installed_has_the_templates():
    told = tomllib.loads((HOME / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    pages = HOME / "autograder" / "pages"
    packed = {path for pattern in told["autograder.pages"] for path in pages.glob(pattern)}
    assert packed == {path for path in pages.rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"}}


def test_the_command_writes_a_dashboard_and_pages_of_what_was_graded(autograder, tmp_path, submission_of):
    (tmp_path / "nbgrader_config.py").write_text("")
    shutil.copytree(HOME / "source" / "backprop", tmp_path / "source" / "backprop")
    done = autograder("report", "backprop")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "Grade first: autograder grade backprop" in done.stderr
    results = Results(tmp_path, "backprop")
    for student in ("ada", "ben"):
        results.keep(Kept(submission_of(student, [True, "sign turned"]), Fingerprint("", {}, {}, "")))
    done = autograder("report", "backprop")
    assert done.returncode == 0, done.stderr
    written = tmp_path / "reports"
    assert done.stdout == f"dashboard: {written}/backprop.html\npages of students: {written}/backprop/\n"
    assert "sign turned" in Page((written / "backprop.html").read_text()).text
    assert "Where dx is wrong." in Page((written / "backprop" / "ben.html").read_text()).text
    assert autograder("report", "backprop", "--to", "class.html").returncode == 0
    assert (tmp_path / "class" / "ada.html").is_file()


def test_a_result_that_was_kept_as_json_is_the_same_afterwards(report_of, submission_of):
    report = report_of(submission_of("ada", [True, "sign turned", None]))
    [kept] = json.loads(report.to_json())["submissions"]
    assert SubmissionResult.from_dict(kept) == report.submissions[0]
    for question in kept["notebooks"][0]["questions"]:
        for test in question["tests"]:
            del test["error_map"]  # of reports of former versions
    assert SubmissionResult.from_dict(kept).score == 10
