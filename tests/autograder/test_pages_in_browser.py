"""The pages in a real browser: figures that have a size, a phone's width, and nothing that runs or leaves the page."""

import re

import pytest
from playwright.sync_api import sync_playwright
from rich.console import Console

from autograder.reporting import write_pages

HOSTILE = "<img src=x onerror=window.hit=1><script>window.hit=1;<\u2215script>"  # no name of a file holds a slash


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def look(browser, tmp_path, report_of, submission_of):
    """Open the dashboard of a class, or the page of one of its students, and see which requests it makes."""
    class_ = [
        *(submission_of(f"s{n}", [True, n % 3 > 0, "sign turned" if n % 4 else None], [True]) for n in range(11)),
        submission_of(HOSTILE, [False, "a mistake that has a long name", False], problems=[HOSTILE * 5]),
    ]
    write_pages(report_of(*class_), tmp_path / "gates.html", Console(quiet=True))
    contexts = []

    def open_page(name="gates.html", width=1200, **options):
        context = browser.new_context(viewport={"width": width, "height": 800}, **options)
        contexts.append(context)
        page = context.new_page()
        page.requests = []
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto((tmp_path / name).as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


def sizes(page):
    boxes = [svg.bounding_box() for svg in page.query_selector_all("svg")]
    return [(box["width"], box["height"]) for box in boxes if box]


@pytest.mark.parametrize("width", [390, 1200])
@pytest.mark.parametrize("name", ["gates.html", "gates/s1.html", f"gates/{HOSTILE}.html"])
def test_a_page_shows_its_figures_fits_the_screen_and_asks_for_nothing(look, name, width):
    page = look(name, width)
    page.eval_on_selector_all("details", "all => all.forEach(each => each.open = true)")
    assert all(min(size) > 0 for size in sizes(page))
    assert len(sizes(page)) > 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert len(page.requests) == 1
    assert page.evaluate("window.hit") is None
    assert page.query_selector_all("script, img, iframe, link") == []


def test_the_histogram_counts_every_submission_and_bars_are_as_long_as_their_counts(look):
    page = look()
    counts = page.eval_on_selector_all(".histogram g text", "all => all.map(each => Number(each.textContent))")
    assert sum(counts) == 12
    heights = page.eval_on_selector_all(
        ".histogram g rect", "all => all.map(each => each.getBoundingClientRect().height)"
    )
    assert [round(height / max(heights), 2) for height in heights] == [round(n / max(counts), 2) for n in counts]
    passed, failed = page.eval_on_selector_all(
        "#question-2 rect", "all => all.slice(0, 2).map(each => each.getBoundingClientRect().width)"
    )
    assert passed / failed == pytest.approx(7 / 5, rel=0.01)


def test_the_map_of_known_mistakes_has_its_counts_where_they_belong(look):
    page = look()
    rows = page.eval_on_selector_all(
        ".heat tbody tr", "all => all.map(row => [...row.children].map(each => each.textContent.trim()))"
    )
    assert rows == [["a mistake that has a long name", "1", ""], ["sign turned", "", "8"]]
    colours = page.eval_on_selector_all(".heat .hot", "all => all.map(each => getComputedStyle(each).backgroundColor)")
    assert len(set(colours)) == 2


def test_a_link_leads_from_the_dashboard_to_a_students_page(look):
    page = look()
    page.click(".class a:has-text('s7')")
    assert page.inner_text("h1") == "s7"
    page.click("a:has-text('first_2')")
    assert page.url.endswith("#q1-2")


def test_the_squares_of_an_error_map_stand_as_in_the_array(look):
    page = look(f"gates/{HOSTILE}.html")
    level = page.query_selector(".map .lr")
    assert level.get_attribute("d") == "M3 0h1v1h-1zM0 1h1v1h-1zM1 1h1v1h-1zM2 1h1v1h-1zM3 1h1v1h-1zM4 1h1v1h-1z"
    assert "Right in row 1" in page.inner_text(".map >> nth=0")


def test_the_dark_page_is_dark_and_the_printed_one_light(look):
    def lightness(page):
        channels = re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))
        return sum(map(int, channels[:3])) / 3

    page = look(color_scheme="dark")
    assert lightness(page) < 60
    page.emulate_media(media="print", color_scheme="dark")
    assert lightness(page) > 250
    assert lightness(look(color_scheme="light")) > 250


def test_the_pages_print(look):
    for name in ("gates.html", f"gates/{HOSTILE}.html"):
        assert look(name).pdf(format="A4").startswith(b"%PDF")
