"""Outputs of a student's process as they may be kept and shown: valid, bounded, and nothing in them acts."""

from __future__ import annotations

import base64
import html
import re
import time
from html.parser import HTMLParser
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder import harmless, outputs
from autograder.harmless import harmless_html, harmless_markdown

PIECES = [
    "<script>alert(1)</script>", "<style>b{}</style>", "<b onclick=x()>", "</b>", "<img src=x onerror=x()>", "<table>",
    "<td>", "</table>", "<a href='javascript:x()'>", "<!--", "-->", "<", ">", '"', "'", "&lt;", "&#60;script&#62;", "&",
    "\x00", "\x1b[31m", "\ud800", "$\\href{javascript:x()}{y}$", "&#92;href{x}{y}", "\\", "text", "\n", "<div ", "/>",
    "</div>", "<li>", "<h1>", "<svg/onload=x()>", "<b\x00>", "<B>", "<sCRipt>", "é", "\u202e", "&#" + "1" * 5000 + ";",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(max_size=40)
PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(30)).decode()
kinds = st.sampled_from(["stream", "error", "display_data", "execute_result", "update_display_data", "pyout", ""])
mimes = st.sampled_from(["text/plain", "text/html", "image/png", "image/jpeg", "image/svg+xml", "text/markdown",
                         "application/javascript", "application/vnd.jupyter.widget-view+json", "<b>"])  # fmt: skip
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.just(PICTURE) | st.just(PICTURE + '"><b>'),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts | mimes, inner, max_size=4),
    max_leaves=12,
)
likely = st.fixed_dictionaries(
    {"output_type": kinds | anything},
    optional={
        "name": st.sampled_from(["stdout", "stderr", "stdin"]) | anything,
        "text": texts | anything,
        "ename": texts | anything,
        "evalue": texts | anything,
        "traceback": st.lists(texts) | anything,
        "data": st.dictionaries(mimes, texts | st.just(PICTURE) | anything, max_size=5) | anything,
        "metadata": anything,
        "execution_count": anything,
        "output_type ": anything,
    },
)


class Tags(HTMLParser):
    """The tags of a piece of HTML, as a browser would find them."""

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, list]] = []
        self.open: list[str] = []
        self.said = ""
        self.unbalanced = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.found.append((tag, attrs))
        if tag not in harmless.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.unbalanced |= not self.open or self.open.pop() != tag

    def handle_data(self, data: str) -> None:
        self.said += data

    def handle_comment(self, data: str) -> None:
        self.found.append(("comment", [data]))

    handle_decl = unknown_decl = handle_pi = handle_comment


def assert_harmless(text: str) -> None:
    """Allowed tags, without attributes, each closed; no command that MathJax would act on."""
    tags = Tags(text)
    assert [found for found in tags.found if found[0] not in harmless.TAGS or found[1]] == []
    assert not tags.open
    assert not tags.unbalanced
    assert not harmless.ACTIVE_MATH.search(html.unescape(text))


@settings(max_examples=100, deadline=None)
@given(st.lists(likely | anything, max_size=4) | anything)
def test_whatever_arrives_becomes_valid_outputs(arrived: Any) -> None:
    """Valid to nbformat, writable as UTF-8, of known kinds, and harmless."""
    made = outputs.Page().admit(arrived)
    cell = nbformat.v4.new_code_cell("x", outputs=made)
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbformat.validate(notebook)
    nbformat.writes(notebook).encode()
    for output in made:
        data = output.get("data", {})
        assert set(data) <= {"text/plain", "text/html", "image/png", "image/jpeg"}
        assert_harmless(data.get("text/html", ""))
        for kind in ("image/png", "image/jpeg"):
            assert re.fullmatch(r"[A-Za-z0-9+/=\s]*", data.get(kind, ""))
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]", str(output.get("text", "")))


@settings(max_examples=150, deadline=None)
@given(texts)
def test_any_mixture_is_harmless(text: str) -> None:
    """And made harmless once more, it stays as it is."""
    made = harmless_html(text)
    assert_harmless(made)
    assert harmless_html(made) == made


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("<b>1 &lt; 2</b>", "<b>1 &lt; 2</b>"),
        ("<p class='x'>a<br/>b</p>", "<p>a<br>b</p>"),
        ("<div><b>open", "<div><b>open</b></div>"),
        ("</div></div>out", "out"),
        ("<td>no table</td>", "no table"),
        ("<table><tr><td>1</td></tr></table>", "<table><tr><td>1</td></tr></table>"),
        ("<style>.a{}</style><table><tbody></tbody></table>", "<table><tbody></tbody></table>"),
        ("<script>1 < 2</script>", "1 &lt; 2"),
        ("a<!-- hidden -->b", "ab"),
        ("a<!-- no end", "a&lt;!-- no end"),
        ("1 < 2 && 3 > 2", "1 &lt; 2 &amp;&amp; 3 &gt; 2"),
        ("<b><i>x</b>y</i>", "<b><i>x</i></b>y"),
        ("&#92;href{x}{y}", "\\\N{WORD JOINER}href{x}{y}"),
        ("<a title='a>b'>x</a>", "x"),
    ],
)
def test_html_is_rebuilt(given: str, kept: str) -> None:
    """What is left of it."""
    assert harmless_html(given) == kept


def test_depth_is_bounded() -> None:
    """A page around it must not be pushed out of the window, nor a parser to its end."""
    made = harmless_html("<div>" * 5000 + "x")
    assert made.count("<div>") == made.count("</div>") == harmless.MAX_DEPTH
    assert "x" in made


SLOW = [
    "<div>",
    "<b>",
    "<b><p>",
    "<table><tr><td>x</table>",
    "<ul><li>",
    "<b a=1 ",
    "<!--",
    "<",
    "&",
    "&#1",
    "<b '",
    "</b>",
]


@pytest.mark.slow
@pytest.mark.parametrize("piece", SLOW)
def test_the_time_grows_with_the_text_and_no_faster(piece: str) -> None:
    """300 KB of it: a parser that repairs HTML needed minutes for some of these."""
    started = time.perf_counter()
    harmless_html(piece * (300_000 // len(piece)))
    harmless_html("<b " + piece * (300_000 // len(piece)) + ">")
    assert time.perf_counter() - started < 10


@pytest.mark.slow
@pytest.mark.parametrize("piece", ["*a ", "[", "> ", "`", "- ", "![a](", "<div>", "\n- "])
def test_markdown_takes_no_longer_either(piece: str) -> None:
    """As much as one cell may hold of it, and far more, which is shown as it is typed."""
    started = time.perf_counter()
    harmless_markdown((piece * harmless.MAX_MARKDOWN)[: harmless.MAX_MARKDOWN])
    assert harmless_markdown(piece * 1_000_000).startswith("<pre>")
    assert time.perf_counter() - started < 10


def test_a_picture_of_spaces_is_judged_at_once() -> None:
    """A pattern that goes back over them took an hour for a megabyte."""
    started = time.perf_counter()
    arrived = {"output_type": "display_data", "data": {"image/png": "iVBOR" + " " * 4_000_000 + "!"}}
    assert outputs.Page().admit([arrived]) == []
    assert time.perf_counter() - started < 5


def test_a_cell_shows_so_much_html_and_no_more() -> None:
    """Each piece may be small enough, and all of them too much."""
    arrived = [{"output_type": "display_data", "data": {"text/html": "<b>x</b>" * 10_000}}] * 20
    made = outputs.Page().admit(arrived)
    assert sum(len(o.data.get("text/html", "")) for o in made) <= outputs.MAX_HTML
    assert "left out" in made[-1].data["text/plain"]


def test_sizes_are_bounded() -> None:
    """Text, pictures, the number of outputs."""
    stream = {"output_type": "stream", "name": "stdout", "text": "x" * 1_000_000}
    picture = {"output_type": "display_data", "data": {"image/png": "iVBOR" + "A" * (outputs.MAX_PICTURE + 1)}}
    made = outputs.Page().admit([stream, picture] + [stream] * 1000)
    assert len(made) == outputs.MAX_OUTPUTS
    assert len(made[0].text) < outputs.MAX_TEXT + 100
    assert "900,000 characters are left out" in made[0].text
    assert set(made[1].data) == {"text/plain"}


def test_what_is_a_picture_stays_one() -> None:
    """As matplotlib's inline backend sends it, with a line end behind it."""
    arrived = {"output_type": "display_data", "data": {"image/png": PICTURE + "\n", "text/plain": "<Figure>"}}
    assert outputs.Page().admit([arrived])[0].data == arrived["data"]


def test_a_notebook_that_shows_too_much_is_cut_where_it_is_full():
    """Else two hundred cells at their limit make a page of 400 MB."""
    page = outputs.Page()
    picture = {"output_type": "display_data", "data": {"image/png": "iVBOR" + "A" * 4_000_000}}
    line = {"output_type": "stream", "name": "stdout", "text": "x"}
    shown = [page.admit([picture, line]) for _ in range(5)]
    assert ["data" in cell[0] for cell in shown] == [True, True, False, False, False]
    assert "4,000,017 characters are left out here" in shown[-1][0].text
    assert [cell[1].text for cell in shown] == ["x"] * 5  # what still fits is shown
