"""nbgrader's own pages over a small graded course: formgrader, the feedback file, Validate, the Assignment List."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from autograder import demo
from tests.browser.conftest import OpenNotebook
from tests.browser.lab import ARTIFACTS, ROOT, LabServer, NotebookPage
from tests.browser.lesson import Lesson, released, solution

LESSON, QKV, ATTENTION = "ch02_scaled_dot_product", "ch02.project_qkv", "ch02.scaled_dot_product_attention"
CLASS = {"ada": demo.right, "cleo": demo.misconceived}
CONFIG = """import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from autograder.configuration import course_config
c = get_config()
c.merge(course_config(Path({folder!r})))
c.Exchange.cache = {cache!r}
"""


class CourseServer(LabServer):
    """JupyterLab as an instructor starts it: in the course's folder, with the course's nbgrader configuration."""

    def _write_settings(self) -> None:
        super()._write_settings()
        text = CONFIG.format(root=str(ROOT), folder=str(self.root), cache=str(self.root / "cache"))
        (self.state / "config" / "nbgrader_config.py").write_text(text)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> demo.DemoCourse:
    """ch02 handed out, submitted by two students, collected, graded, with feedback."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "STUDENTS", CLASS)
        made = demo.DemoCourse(ROOT, tmp_path_factory.mktemp("course"), [LESSON])
        made.hand_out()
        marks = {mark.student: mark.score for mark in made.grade()}
    assert marks["ada"] > marks["cleo"]
    return made


@pytest.fixture(scope="module")
def desk(course: demo.DemoCourse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """The server in the course's folder."""
    server = CourseServer(course.folder, tmp_path_factory.mktemp("desk"))
    try:
        yield server.wait()
    finally:
        server.stop()


@pytest.fixture
def formgrader(desk: LabServer, browser: Browser) -> Iterator[Page]:
    """An empty page that knows the server's token and cannot leave the machine."""
    shell = NotebookPage(desk, browser)
    shell.page.goto(f"{desk.url}/lab?token={desk.token}", wait_until="commit")
    yield shell.page
    shell.context.close()
    assert set(shell.errors) <= {"MathJax is not defined"}  # nbgrader asks a CDN for it


def keep(page: Page, name: str, whole: bool = False) -> None:
    """Keep a picture of a page that is not JupyterLab's."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=whole)


def test_formgrader_lists_the_assignment_and_shows_a_submission(formgrader: Page, desk: LabServer) -> None:
    page = formgrader
    page.goto(f"{desk.url}/formgrader/manage_assignments")
    row = page.get_by_role("row").filter(has_text=LESSON)
    expect(row).to_contain_text("released")
    keep(page, "formgrader-assignments")
    page.goto(f"{desk.url}/formgrader/manage_submissions/{LESSON}")
    expect(page.get_by_role("row").filter(has_text="cleo")).to_contain_text("graded")
    keep(page, "formgrader-submissions")
    page.goto(f"{desk.url}/formgrader/gradebook/{LESSON}/{LESSON}")
    page.get_by_role("link", name="Submission #").first.wait_for()
    assert page.get_by_role("link", name="Submission #").count() == len(CLASS)
    submission = cleos_submission(page, desk)
    page.goto(f"{desk.url}/formgrader/submissions/{submission}/")
    expect(page.get_by_text("project_qkv: not right yet").first).to_be_visible()
    text = page.locator("body").inner_text()
    assert "Hint: You multiply by the transposed matrices." in text
    assert "Traceback" not in text
    points = page.locator("input.score").evaluate_all("(boxes) => boxes.map((box) => Number(box.placeholder))")
    assert sum(points) < 11
    page.get_by_text("project_qkv: not right yet").first.scroll_into_view_if_needed()
    keep(page, "formgrader-submission")


def cleos_submission(page: Page, desk: LabServer) -> str:
    """The gradebook's id of cleo's notebook."""
    reply = page.request.get(f"{desk.url}/formgrader/api/submitted_notebooks/{LESSON}/{LESSON}")
    return next(one["id"] for one in json.loads(reply.text()) if one["student"] == "cleo")


@pytest.mark.parametrize("student", CLASS)
def test_feedback_file(course: demo.DemoCourse, browser: Browser, student: str) -> None:
    file = course.folder / "feedback" / student / LESSON / f"{LESSON}.html"
    context = browser.new_context(viewport={"width": 1100, "height": 900})
    offsite: list[str] = []
    context.route(re.compile("^https?:"), lambda route: (offsite.append(route.request.url), route.abort()))
    page = context.new_page()
    page.goto(file.as_uri())
    text = page.locator("body").inner_text()
    assert "Traceback" not in text
    assert ("project_qkv: not right yet" in text) == (student == "cleo")
    assert ("project_qkv: passed" in text) == (student == "ada")
    assert "Expected" not in text  # no hidden value
    assert [url for url in offsite if "mathjax" not in url.lower()] == []
    keep(page, f"feedback-{student}-top")
    page.get_by_text("project_qkv: ").and_(page.locator("b")).evaluate(
        "(line) => line.scrollIntoView({block: 'center'})"
    )
    keep(page, f"feedback-{student}")
    context.close()


def test_validate_button_says_what_the_check_says(open_notebook: OpenNotebook) -> None:
    lesson = Lesson(open_notebook(released("ch02"), run=False))
    lesson.notebook.set_cell(lesson.places["ch02-project_qkv-code"], solution(QKV))
    wrong = solution(ATTENTION).replace(" / np.sqrt(k.shape[-1])", "")
    lesson.notebook.set_cell(lesson.places["ch02-scaled_dot_product_attention-code"], wrong)
    lesson.page.get_by_role("button", name="Validate").click()
    dialog = lesson.page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("failed", timeout=90_000)
    text = " ".join(dialog.inner_text().split())
    lesson.page.set_viewport_size({"width": 1280, "height": 900})
    keep(lesson.page, "validate-failing")
    assert "scaled_dot_product_attention: not right yet" in text
    assert "Expected -0.62" in text
    assert "Hint: The division is missing" in text
    assert "project_qkv" not in text  # it is right
    assert "Traceback" not in text
    boxes = dialog.locator("pre")
    assert boxes.evaluate_all("(all) => all.filter((box) => box.scrollWidth > box.clientWidth + 1).length") == 0


def test_assignment_list_shows_and_fetches(desk: LabServer, browser: Browser, course: demo.DemoCourse) -> None:
    notebook = NotebookPage(desk, browser)
    page = notebook.page
    page.goto(f"{desk.url}/lab?token={desk.token}&reset")
    page.wait_for_function("() => window.jupyterapp")
    page.evaluate(
        "async () => { await jupyterapp.restored; await jupyterapp.commands.execute('nbgrader:open-assignment-list') }"
    )
    expect(page.locator("#released_assignments_list")).to_contain_text(LESSON)
    page.get_by_role("button", name="Fetch", exact=True).click()
    expect(page.locator("#fetched_assignments_list")).to_contain_text(LESSON, timeout=20_000)
    keep(page, "assignment-list")
    fetched = (course.folder / LESSON / f"{LESSON}.ipynb").read_bytes()
    assert fetched == (course.folder / "build" / "release" / LESSON / f"{LESSON}.ipynb").read_bytes()
    notebook.context.close()
    notebook.assert_clean()
