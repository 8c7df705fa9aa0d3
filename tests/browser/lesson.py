"""A released lesson in JupyterLab, with what tests of lessons do to it: fill in cells, look at widgets, ask axe."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
from playwright.sync_api import Locator, expect

from autograder.exercise import lessons
from tests.browser.bare_page import WIDGETS
from tests.browser.lab import ROOT, THEMES, NotebookPage, Theme

AXE = WIDGETS / "js" / "node_modules" / "axe-core" / "axe.min.js"
CHAPTERS = {name.partition("_")[0]: name for name in lessons()}
OPENING = "the first code cell"
OURS = (
    ".course-widget, .cw-view, .jp-OutputArea-output section[role=status], .jp-OutputArea-output table.course-progress"
)
RUN_AXE = """async (ours) => {
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
  const result = await axe.run([...document.querySelectorAll(ours)], { runOnly: tags });
  return result.violations.flatMap((v) =>
    v.nodes.map((node) => `${v.id}: ${node.html.slice(0, 200)} ${node.failureSummary}`));
}"""
WIDER_THAN_ROOM = """(ours) => [...document.querySelectorAll(ours)].flatMap((part) => {
  const output = part.closest(".jp-OutputArea-output");
  const scrolls = (element) => ["auto", "scroll"].includes(getComputedStyle(element).overflowX)
    && element.scrollWidth > element.clientWidth + 1;
  const sticksOut = part.getBoundingClientRect().right > output.getBoundingClientRect().right + 1;
  return [output, part, ...part.querySelectorAll("*")].filter((one) => scrolls(one) || (one === part && sticksOut))
    .map((one) => `${one.className}: ${one.scrollWidth} > ${one.clientWidth}`);
})"""
TALL = {"width": 1280, "height": 1400}  # room for the whole of any widget
FRAME = 66  # the page's side bars

expect.set_options(timeout=20_000)  # a loaded machine is slow, not wrong


def released(chapter: str) -> Path:
    """The committed notebook that students get."""
    return ROOT / "release" / CHAPTERS[chapter] / f"{CHAPTERS[chapter]}.ipynb"


def solution(exercise_id: str) -> str:
    """The right text of an exercise's answer cell, from the committed solved notebook."""
    chapter, name = exercise_id.split(".")
    path = ROOT / "solutions" / CHAPTERS[chapter] / f"{CHAPTERS[chapter]}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return next("".join(c["source"]) for c in cells if c["id"] == f"{chapter}-{name}-code")


class Lesson:
    """An open lesson; cells are named by their id, or by the first words of their text."""

    def __init__(self, notebook: NotebookPage):
        self.notebook, self.page = notebook, notebook.page
        self.page.set_viewport_size(TALL)

    @cached_property
    def places(self) -> dict[str, int]:
        """Cell id, and first line of code -> number of the cell."""
        cells = list(enumerate(self.notebook.cells()))
        code = {c["source"].partition("\n")[0]: i for i, c in cells if c["cell_type"] == "code"}
        first = {OPENING: next(i for i, c in cells if c["cell_type"] == "code")}
        return code | first | {c["id"]: i for i, c in cells}

    def run(self, cell: str) -> Locator:
        """Run one cell, wait until its output stands still, return it."""
        self.notebook.run_cell(self.places[cell])
        return self.output(cell)

    def output(self, cell: str) -> Locator:
        """What stands under a cell."""
        return self.notebook.cell(self.places[cell]).locator(".jp-Cell-outputArea")

    def write(self, exercise_id: str, text: str) -> Locator:
        """Fill in an exercise, run it and its check; return what the check shows."""
        name = exercise_id.replace(".", "-")
        self.notebook.set_cell(self.places[f"{name}-code"], text)
        self.run(f"{name}-code")
        return self.run(name)

    def kernel(self, cell: str, attribute: str):
        """An attribute of the object that a cell showed last, as the kernel has it."""
        count = self.notebook.cells()[self.places[cell]]["execution_count"]
        return self.notebook.py(f"Out[{count}].{attribute}")

    def in_both_themes(self) -> Iterator[Theme]:
        """Switch the open page to light, then to dark, as the Settings menu does."""
        for theme in THEMES:
            self.notebook.change_theme(theme)
            self.settle()
            yield theme

    def settle(self) -> None:
        """Wait until the views have told Python (they do so every 40 ms), Python has answered, and all is painted.

        The page's own timer is asked, which rings after the views' however slow the page is; and twice, for what
        waited in the page for an answer to what was told before is sent then.
        """
        for _ in range(2):
            self.page.evaluate("() => new Promise((done) => setTimeout(done, 60))")
            self.notebook.wait_idle()

    def picture(self, name: str, cell: str) -> None:
        """Keep a picture of one cell, the whole of it."""
        self.settle()
        self.notebook.screenshot(name, self.notebook.cell(self.places[cell]))

    def scroll_to(self, cell: int | str) -> None:
        """Bring a cell's upper edge to the top of the page."""
        number = self.places.get(cell, cell)
        self.notebook.cell(number).evaluate("(cell) => cell.scrollIntoView({ block: 'start' })")
        self.notebook.wait_idle()

    def picture_of_page(self, name: str, cell: int | str) -> None:
        """Keep a picture of the page as it opens, with a cell at its top."""
        self.page.set_viewport_size({"width": 1280, "height": 900})
        self.scroll_to(cell)
        self.notebook.screenshot(name)
        self.page.set_viewport_size(TALL)

    def picture_for_readme(self, name: str, cell: str, height: int) -> None:
        """Keep a picture of the notebook alone, 1100 pixels wide, with a cell at its top."""
        self.page.set_viewport_size({"width": 1100 + FRAME, "height": height})
        self.scroll_to(cell)
        self.notebook.screenshot(name, self.page.locator(".jp-NotebookPanel-notebook"))
        self.page.set_viewport_size(TALL)

    def violations(self) -> list[str]:
        """What axe-core finds in the course's own outputs."""
        self.page.evaluate(AXE.read_text())
        return self.page.evaluate(RUN_AXE, OURS)

    def wait_for_kernel(self) -> None:
        """Wait until a notebook in which nothing runs could run something."""
        self.page.wait_for_function("() => window.harness.kernel()?.connectionStatus === 'connected'")

    def too_wide(self, width: int) -> list[str]:
        """Which of the course's outputs would scroll sideways on a page of this width."""
        self.page.set_viewport_size(TALL | {"width": width})
        self.settle()
        found = self.page.evaluate(WIDER_THAN_ROOM, OURS)
        self.page.set_viewport_size(TALL)
        return found


def weights_shown(output: Locator, title: str = "Weights") -> np.ndarray:
    """The numbers of a widget's heat-map, as on the screen; masked cells are 0."""
    table = output.get_by_role("grid", name=title)
    rows = table.locator("tbody tr").all()
    texts = [[c.inner_text() for c in row.locator(".cw-cell-number").all()] for row in rows]
    return np.array([[float(t.replace("\u2212", "-") or 0) for t in row] for row in texts])


def status(output: Locator) -> Locator:
    """The line of a widget that says whose function draws."""
    return output.locator(".cw-status")


def require_unsolved(lesson: Lesson, chapter: str, widgets: dict[str, str]) -> None:
    """A lesson that was run as handed out: nothing but what is not there yet failed, and the course draws.

    `widgets` names the cells that show widgets, by the first line of their code; a picture of each is kept.
    """
    errors = [o for c in lesson.notebook.cells() for o in c.get("outputs", []) if o["output_type"] == "error"]
    assert {e["ename"] for e in errors} <= {"NotImplementedError"}  # an experiment calls what is not there yet
    assert not [line for e in errors for line in e["traceback"] if "/course/" in line]
    for cell in widgets.values():
        output = lesson.output(cell)
        expect(output.get_by_text("course\u2019s version").filter(visible=True).first).to_be_visible()
        expect(status(output)).to_contain_text(re.compile("[Tt]he course's"))
    assert lesson.too_wide(900) == []
    for theme in lesson.in_both_themes():
        assert lesson.violations() == []
        for name, cell in widgets.items():
            lesson.picture(f"{chapter}-{theme}-unsolved-{name}", cell)
        lesson.picture_of_page(f"{chapter}-{theme}-top", 0)
