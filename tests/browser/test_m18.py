"""m18 in real JupyterLab: a model writes out a product by keyboard, and a training draws its curves while it runs."""

from __future__ import annotations

from playwright.sync_api import expect

from course.lab.training import FEWER
from tests.browser.conftest import OpenLesson
from tests.browser.lesson import solution, status

WRITER = "product_writer(product_line)"
TEXT = ("write_backwards", "chain_of_thought", "product_line")


def test_m18_a_model_writes_and_another_is_trained(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("m18")
    for name in TEXT:
        lesson.notebook.set_cell(lesson.places[f"m18-{name}-code"], solution(f"m18.{name}"))
        lesson.run(f"m18-{name}-code")
    output = lesson.run(WRITER)
    expect(status(output)).to_have_text("Drawn by your product_line.")
    output.get_by_label("product").fill("68*73")
    expect(output.get_by_text("The ones of 68 \u00d7 3: 8 \u00d7 3 = 24")).to_be_visible()
    output.get_by_role("button", name="Next token").press("Enter")
    expect(output.get_by_text("The tens of 68 \u00d7 3: 6 \u00d7 3 + 2 carried = 20")).to_be_visible()
    for _ in range(8):
        output.get_by_role("button", name="Next token").press("Enter")
    expect(output.get_by_text("The ones of the sum")).to_be_visible()
    assert lesson.too_wide(900) == []
    for theme in lesson.in_both_themes():
        assert lesson.violations() == []
        lesson.picture(f"m18-{theme}-writer", WRITER)
    output.get_by_role("button", name="Whole line").press("Enter")
    expect(output.get_by_text("The line is complete.")).to_be_visible()
    lesson.notebook.py(f"__import__('os').environ.update({FEWER}='30')")
    cell = next(c["source"] for c in lesson.notebook.cells() if "results = plan(line), {}" in c["source"])
    cell = cell.partition("\n")[0]
    lesson.run(cell)
    lesson.picture("m18-light-training", cell)
