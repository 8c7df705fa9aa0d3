"""The error book of m20 without a browser: its mistakes, its filters, and whose function marks them."""

import base64

import pytest

from course.supplied import m18, m20
from course.widgets import error_book
from course.widgets.mistakes import pieces

WRONG = [
    (12, 34, "12*34=840+0630=8140;0418\n"),  # sum 2
    (56, 78, "56*78=844+0292=8633;3368\n"),  # row 2, and all after it
    (99, 98, "99*98=297+0198=2079;970"),  # cut off in the answer
    (40, 25, "40*25=002+0080=0002;2000\n"),  # sum 2 at its end
]


def unfinished(*args):
    raise NotImplementedError


def text(line):
    return "".join(part["text"] for part in line)


def marked(card):
    return [part["text"] for line in card.text.lines for part in line if part.get("style") == "bold"]


@pytest.mark.parametrize("function", [None, unfinished, lambda *a: 1 / 0, lambda *a: 7])
def test_m20_without_a_working_function_the_course_finds_the_faults(function):
    card = error_book(function, None, WRONG)
    assert "cw-course" in card._status._dom_classes
    assert "in sum 2: it wrote 1, should be 0" in card.text.note


def test_m20_it_marks_the_first_fault_and_counts_parts():
    card = error_book(m20.first_fault, m20.product_carries, WRONG)
    assert "cw-yours" in card._status._dom_classes
    assert text(card.text.lines[3]).startswith("12*34=840+0630=8040")
    assert marked(card) == ["1", "1"]  # in the line, and in its part
    assert card.bars.labels == ["row 1", "row 2", "sum 2", "answer"]
    assert [int(v) for v in card.bars.columns[0]["values"]] == card.counts
    assert sum(card.counts) == 4
    assert "1 carry in all steps" in card.text.note


def test_m20_it_filters_by_part_and_steps_through_the_products():
    card = error_book(m20.first_fault, m20.product_carries, WRONG)
    card.part.value = "sum 2"
    shown = [label for label, _ in card.product.options]
    assert len(shown) == card.counts[2]
    first = card.product.value
    card.steps[1].click()
    assert len(shown) == 1 or card.product.value != first
    card.part.value = "answer"
    assert card.product.value == 2
    assert "it wrote nothing" in card.text.note
    card.steps[0].click()
    assert card.product.value == 2


def test_m20_a_wrong_function_draws_and_is_told():
    card = error_book(lambda line, wanted: (6, "row 1"), m20.product_carries, WRONG)
    assert "cw-wrong" in card._status._dom_classes
    assert card.counts == [4, 0, 0, 0]
    nothing = error_book(lambda line, wanted: None, m20.product_carries, WRONG)
    assert "No fault was found" in nothing.text.note
    counts = error_book(m20.first_fault, lambda x, y, digits: 0, WRONG)
    assert "cw-wrong" in counts._status._dom_classes


def test_m20_an_empty_book_is_no_trouble():
    card = error_book(m20.first_fault, m20.product_carries, [])
    assert "empty" in text(card.text.lines[0])
    card.steps[0].click()
    assert card.figure() is not None


def test_m20_the_courses_book_has_kinds():
    card = error_book(m20.first_fault, m20.product_carries)
    kinds = [value for _, value in card.kind.options]
    assert kinds[0] == "all"
    for kind in kinds[1:]:
        card.kind.value = kind
        assert {card.mistakes[i][3] for i in card.chosen} == {kind}


def test_m20_pieces_are_the_whole_line():
    for digits, x, y in [(1, 3, 4), (2, 12, 34), (4, 1234, 5678)]:
        wanted = m18.product_line(x, y, digits)
        parts = pieces(wanted)
        assert "".join(parts.values()) == wanted
        for name, part in list(parts.items())[1:]:
            start = wanted.index(part)
            assert m20.first_fault(wanted[:start], wanted)[1] == name


def test_m20_a_still_picture_stands_in_without_a_kernel():
    bundle = error_book(None, None, WRONG)._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
