"""Formgrader in a real browser: what an instructor does with a submission, step by step."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

CHROMIUM = "/usr/bin/chromium"


@pytest.fixture
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def formgrader(course, tmp_path):
    """A Jupyter server with formgrader in the course; its address."""
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        **{name: str(tmp_path / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")},
    }
    command = [
        sys.executable,
        "-m",
        "jupyter",
        "server",
        "--allow-root",
        "--no-browser",
        "--ip=127.0.0.1",
        f"--port={free_port()}",
    ]
    command += ["--IdentityProvider.token=", "--ServerApp.password=", f"--ServerApp.root_dir={course.folder}"]
    command += ["--ServerApp.jpserver_extensions={'nbgrader.server_extensions.formgrader': True}"]
    log = (tmp_path / "server.log").open("w+")
    server = subprocess.Popen(command, cwd=course.folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield address(server, tmp_path / "server.log")
    finally:
        server.terminate()
        server.wait(30)
        log.close()


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def address(server, log):
    """Where the server says that it listens, as soon as it says so."""
    follow = ["tail", "-n", "+1", "-f", f"--pid={server.pid}", log]
    with subprocess.Popen(follow, stdout=subprocess.PIPE, text=True) as tail:
        for line in tail.stdout:
            found = re.search(r"(http://127\.0\.0\.1:\d+/)", line)
            if found:
                tail.terminate()
                return found[1]
    raise AssertionError(f"the server did not start: {Path(log).read_text()}")


def test_an_instructor_autogrades_reads_the_hint_and_sets_a_score_by_hand(
    course, formgrader, browser, student, tmp_path
):
    student.change("rnn_step_backward", "prev_h.T", "next_h.T")
    student.cells.insert(0, {"cell_type": "markdown", "metadata": {}, "source": "<script>document.title='!'</script>"})
    course.hand_in("ada", {"rnn_captioning.ipynb": student.text})
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.set_default_timeout(120_000)

    page.goto(f"{formgrader}formgrader/manage_submissions/captioning")
    row = page.locator("tr", has_text="ada")
    row.locator(".autograde a, .autograde button, td.autograde span").first.click()
    expect(page.get_by_text("Successfully autograded")).to_be_visible(timeout=120_000)

    with course.gradebook() as book:
        entry = book.find_submission_notebook("rnn_captioning", "captioning", "ada")
        identity, before = entry.id, entry.score
    assert 40 < before < 46
    page.goto(f"{formgrader}formgrader/submissions/{identity}/")
    score = page.locator("input#rnn_step_backward.score")
    assert page.title() != "!"
    expect(score).to_have_attribute("placeholder", re.compile(r"\d"))  # which a script fills in
    assert 0 < float(score.get_attribute("placeholder")) < 8
    expect(page.get_by_text("this is what you get when next_h stands where prev_h belongs").first).to_be_visible()
    expect(page.get_by_text("What was Wh multiplied by on the way forward?").first).to_be_visible()
    page.get_by_text("this is what you get when next_h").first.scroll_into_view_if_needed()
    page.screenshot(path=os.environ.get("SCREENSHOT", str(tmp_path / "formgrader.png")))

    given = float(score.get_attribute("placeholder"))
    score.fill("7.5")
    score.press("Tab")
    expect(page.locator("span.score-saved").first).to_be_attached()
    page.goto(f"{formgrader}formgrader/gradebook/captioning/rnn_captioning")
    total = f"{before - given + 7.5:g}"
    expect(page.locator("tr", has_text="Submission #1")).to_contain_text(total)
