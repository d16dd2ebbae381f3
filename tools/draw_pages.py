#!/usr/bin/env python3
"""Photograph the dashboard and a student's page of the demonstration class for the documentation; after `make demo`."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import sync_playwright

HOME = Path(__file__).resolve().parent.parent
DEMO, FIGURES = HOME / "demo", HOME / "docs" / "figures"
STUDENT, QUESTION = "captioning/hidden-gradient-not-carried.html", "#q1-4"


def main() -> None:
    """Write ``docs/figures/dashboard.png`` and ``docs/figures/student_page.png``."""
    FIGURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 1240}, color_scheme="light")
        page.goto((DEMO / "captioning.html").as_uri())
        page.screenshot(path=FIGURES / "dashboard.png")
        page.goto((DEMO / STUDENT).as_uri())
        box = page.locator(QUESTION).bounding_box()
        assert box is not None
        clip = {"x": box["x"] - 8, "y": box["y"] - 8, "width": box["width"] + 16, "height": 470}
        page.screenshot(path=FIGURES / "student_page.png", clip=clip, full_page=True)
        browser.close()


if __name__ == "__main__":
    main()
