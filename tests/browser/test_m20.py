"""m20 in real JupyterLab: a book of mistakes by keyboard, marked by the student's function."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import OpenLesson
from tests.browser.lesson import solution, status

BOOK = "error_book(first_fault, product_carries)"


def test_m20_a_book_of_errors_by_keyboard(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("m20")
    for name in ("product_carries", "first_fault"):
        lesson.notebook.set_cell(lesson.places[f"m20-{name}-code"], solution(f"m20.{name}"))
        lesson.run(f"m20-{name}-code")
    output = lesson.run(BOOK)
    expect(status(output)).to_have_text("Drawn by your first_fault.")
    products = output.get_by_label("product")
    first = products.input_value()
    output.get_by_role("button", name="Next").press("Enter")
    expect(products).not_to_have_value(first)
    parts = output.get_by_label("first fault in")
    parts.focus()
    parts.press("ArrowDown")
    name = parts.input_value().partition(" (")[0]
    expect(output.get_by_text(f"in {name}: it wrote")).to_be_visible()
    assert lesson.too_wide(900) == []
    for theme in lesson.in_both_themes():
        assert lesson.violations() == []
        lesson.picture(f"m20-{theme}-book", BOOK)
