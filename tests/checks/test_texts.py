"""What is said of wrong texts holds for all of them, and is said only then."""

from __future__ import annotations

import pytest

from course.checks.texts import relation

RIGHT = ["12*34=840;\n", "Hello, world", "99+1"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: "", "is empty"),
        (lambda t: t[::-1], "turned round"),
        (lambda t: " " + t.strip() + "\n\n", "Only blanks or line ends"),
        (lambda t: t[:-2], "stops too early"),
        (lambda t: t[2:], "something before it is missing"),
        (lambda t: t + t, "then comes something"),
        (lambda t: "=" + t, "stands before it"),
        (lambda t: t[1:-1], "only a part"),
        (lambda t: t[:1] + t[2:], "missing in the middle"),
        (lambda t: t[:2] + "##" + t[2:], "too much in the middle"),
        (lambda t: t[2:] + t[:2], "in another order"),
    ],
)
def test_a_change_made_to_all_texts_is_told(change, says):
    assert says in relation([(text, change(text)) for text in RIGHT])


def test_letters_of_another_size_are_told():
    assert "capital" in relation([("Abc", "abc"), ("D!", "d!")])


def test_right_texts_among_them_do_not_matter_but_one_alone_tells_nothing():
    assert "too early" in relation([("abc", "ab"), ("xyz", "xyz"), ("123", "1")])
    assert relation([("abc", "ab"), ("xyz", "xyz")]) == ""


def test_what_holds_for_some_is_not_told():
    assert relation([("abc", "ab"), ("xyz", "yz"), ("hello", "help")]) == ""
    assert relation([("abc", "abd"), ("xyz", "xya")]) == ""
    assert relation([]) == ""
