"""Fixtures for tests that drive JupyterLab in Chromium. They never skip: without a browser they fail and say why."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.browser.lab import LabServer, NotebookPage, Theme, place_notebook
from tests.browser.lesson import OPENING, Lesson, released

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")  # the quickest first

CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-sync",
    "--force-color-profile=srgb",
]
NO_WEBGL = ("--disable-gpu",)  # or software draws the whole page by way of it, which takes a fifth longer
WEBGL = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")

OpenNotebook = Callable[..., NotebookPage]
OpenLesson = Callable[..., Lesson]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is a browser test."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Remember on the test whether it failed, for the picture that `open_notebook` then keeps."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


FAILED = pytest.StashKey[bool]()


def chromium() -> str:
    """The browser's path: the one that CHROMIUM names, or the first installed."""
    named = os.environ.get("CHROMIUM")
    found = next(filter(None, map(shutil.which, [named] if named else BROWSERS)), None)
    if found is None:
        pytest.fail("The browser tests need Chromium: apt-get install chromium (or set CHROMIUM).", pytrace=False)
    return found


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """What starts browsers."""
    with sync_playwright() as playwright:
        yield playwright


@contextlib.contextmanager
def launched(playwright: Playwright, *options: str) -> Iterator[Browser]:
    """Headless Chromium with these options besides those of all tests."""
    browser = playwright.chromium.launch(executable_path=chromium(), args=[*CHROMIUM_OPTIONS, *options])
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Headless Chromium, one for all tests that need no WebGL."""
    with launched(playwright, *NO_WEBGL) as browser:
        yield browser


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """A running JupyterLab, one for all tests; `lab.root` is its folder."""
    server = LabServer(tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("lab"))
    try:
        yield server.wait()
    finally:
        server.stop()


@pytest.fixture(scope="module")
def spare_pages(browser: Browser) -> Iterator[list[NotebookPage]]:
    """Pages on which JupyterLab is loaded and no notebook open, for the next test of the same file."""
    pages: list[NotebookPage] = []
    yield pages
    for page in pages:
        page.close()


@pytest.fixture
def open_notebook(
    lab: LabServer, browser: Browser, spare_pages: list[NotebookPage], request: pytest.FixtureRequest
) -> Iterator[OpenNotebook]:
    """Open a notebook (a path, or a list of code cells) in JupyterLab; `run=True` runs all of it first.

    When the test ends, a request that left the machine or a script error on the page fails it, and a failed test
    leaves a picture.
    """
    opened: list[NotebookPage] = []
    name = re.sub(r"\W+", "-", request.node.name).strip("-")

    def open_one(source: Path | str | list[str], theme: Theme = "light", run: bool = True) -> NotebookPage:
        file = lab.root / f"{name}-{len(opened)}.ipynb"
        place_notebook(source, file)
        page = spare_pages.pop() if spare_pages else NotebookPage(lab, browser, theme)
        opened.append(page)
        page.another(file.name, theme) if page.loaded else page.open(file.name)
        return page.run_all() if run else page

    yield open_one
    failed = request.node.stash.get(FAILED, False)
    spoilt = failed or any(page.offsite or page.errors for page in opened)
    for number, page in enumerate(opened):
        if failed:
            page.screenshot(f"failed-{name}-{number}")
        if spoilt:
            page.close()
    for page in opened:
        page.assert_clean()
    if not spoilt:
        for page in opened:
            page.put_away()
        spare_pages.extend(opened)


@pytest.fixture
def open_lesson(open_notebook: OpenNotebook) -> OpenLesson:
    """Open a released lesson; its first code cell has run, or with `run_all` every cell."""

    def opened(chapter: str, theme: Theme = "light", run_all: bool = False) -> Lesson:
        lesson = Lesson(open_notebook(released(chapter), theme=theme, run=False))
        if run_all:
            lesson.notebook.run_all(allow_errors=True)
        else:
            lesson.run(OPENING)
        return lesson

    return opened
