"""What students write cannot act in an instructor's browser, nor lead nbgrader to other files."""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell

from autograder import harmless, outputs
from autograder.harmless import harmless_html, harmless_markdown
from tests.grading.classroom import Classroom

LESSON = "ch02_scaled_dot_product"
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "[click](java&#115;cript:alert(1))",
    "[click](data:text/html,<script>alert(1)</script>)",
    "<javascript:alert(1)>",
    "![x](javascript:alert(1))",
    "<a href='javascript:alert(1)'>x</a>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<style>body{display:none}</style>",
    "<div style='position:fixed;inset:0'>full marks</div>",
    "<div class='navbar-fixed-top'>full marks</div>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<form action=https://example.com><input type=submit></form>",
    "<meta http-equiv=refresh content='0;url=https://example.com'>",
    "<base href=https://example.com>",
    "<scr<script>ipt>alert(1)</script>",
    "<!--><img src=x onerror=alert(1)>-->",
    "`<b onclick=alert(1)>`",
    "```html\n</code></pre><script>alert(1)</script>\n```",
    "[x]: javascript:alert(1)\n\n[x]",
]


class Active(HTMLParser):
    """Collects what acts by itself or leads away: tags, handlers, styles, and addresses that are not of the web."""

    TAGS = frozenset(("script", "iframe", "style", "svg", "form", "input", "meta", "base", "img", "object", "link"))

    def __init__(self, html: str):
        super().__init__()
        self.found: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.found += [tag] if tag in self.TAGS else []
        for name, value in attrs:
            if name.startswith("on") or name in ("style", "id", "src", "srcdoc", "action"):
                self.found.append(name)
            if name == "href" and not (value or "").startswith(("http://", "https://", "mailto:", "#")):
                self.found.append(f"href={value}")
            if name == "class" and len(value) > 2:
                self.found.append(f"class={value}")


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_acts(text: str) -> None:
    """Neither as an output nor as markdown."""
    assert not Active(harmless_html(text)).found
    assert not Active(harmless_markdown(text)).found


@given(st.lists(st.sampled_from([*HOSTILE, "\n\n", "    ", "`", "$", "<", ">", "a", "\\", '"', "'"]), max_size=8))
def test_nothing_acts_in_any_mixture(parts: list[str]) -> None:
    """A filter that looks at pieces is beaten by putting pieces together."""
    text = "".join(parts)
    assert not Active(harmless_html(text)).found
    assert not Active(harmless_markdown(text)).found


def test_what_is_harmless_stays() -> None:
    """Formulas, tables, code in colours, links to the web."""
    html = harmless_markdown("## Title\n\n$a < b$ and **bold** [docs](https://example.com)\n\n```python\nx = 1\n```")
    assert "<h2>Title" in html
    assert "$a &lt; b$" in html
    assert "<strong>bold</strong>" in html
    assert '<a href="https://example.com">docs</a>' in html
    assert '<span class="n">x</span>' in html
    table = "<table><tr><td>1</td></tr></table>"
    assert harmless_html(f"<div class='x'>{table}</div>").replace("<tbody>", "").replace("</tbody>", "") == (
        f"<div>{table}</div>"
    )


@pytest.mark.parametrize("command", ["href{javascript:alert(1)}{x}", "style{color:red}{x}", "require{html}"])
def test_a_formula_cannot_make_a_link(command: str) -> None:
    """MathJax knows these commands; a broken one it shows as an error."""
    for text in (f"$\\{command}$", f"$${{\\{command}}}$$"):
        assert f"\\{command.partition('{')[0]}" not in harmless_markdown(text)
        assert f"\\{command.partition('{')[0]}" not in harmless_html(text)


@pytest.mark.slow
def test_the_feedback_page_holds_no_code_of_the_students(classroom: Classroom) -> None:
    """Markdown, raw cells, outputs and error messages, on the page as nbgrader makes it."""

    def change(notebook):
        shown = "from IPython.display import HTML, Javascript, display\n"
        shown += "".join(f"display(HTML({t!r}))\n" for t in HOSTILE) + "Javascript('alert(\"marker\")')"
        notebook.cells[:0] = [new_markdown_cell(t, id=f"m{i}") for i, t in enumerate(HOSTILE)]
        notebook.cells[:0] = [new_raw_cell(t, id=f"r{i}") for i, t in enumerate(HOSTILE)]
        notebook.cells += [new_code_cell(shown, id="shown"), new_code_cell("raise ValueError('<script>x</script>')")]

    graded = classroom.changed("mallory", LESSON, change)
    assert graded.success, graded.log
    own = classroom.changed("honest", LESSON, lambda notebook: None)
    assert graded.scores == own.scores

    def counted(page: str) -> dict[str, int]:
        found = Active(page).found
        return {x: found.count(x) for x in ("script", "iframe", "form", "svg", "object", "base", "onerror", "onclick")}

    assert counted(graded.feedback) == counted(own.feedback)
    assert "alert(1)</script>" not in graded.feedback.replace("&lt;", "<<")
    assert "javascript:alert" not in [x for x in Active(graded.feedback).found if x.startswith("href")]


@pytest.mark.slow
def test_links_and_pipes_are_not_followed(classroom: Classroom, tmp_path) -> None:
    """A link to somebody's file, a link to a folder, a pipe that never ends, and a notebook that is a link."""
    secret = tmp_path / "secret.txt"
    secret.write_text("canary-4711")
    classroom.changed("linker", LESSON, lambda notebook: None)
    folder = classroom.submitted("linker", LESSON).parent
    (folder / "data.txt").symlink_to(secret)
    (folder / "more").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    graded = classroom.grade("linker", LESSON)
    assert graded.success, graded.log
    copied = [p.read_text(errors="replace") for p in graded.path.parent.rglob("*") if p.is_file()]
    assert len(copied) >= 4
    assert not any("canary-4711" in text for text in copied)
    assert "is a link" in (graded.path.parent / "data.txt").read_text()
    folder.joinpath(f"{LESSON}.ipynb").unlink()
    folder.joinpath(f"{LESSON}.ipynb").symlink_to(secret)
    graded = classroom.grade("linker", LESSON)
    assert set(graded.scores.values()) == {0.0}
    assert "canary-4711" not in graded.path.read_text()


@pytest.mark.parametrize(
    "source", ["see ![my plot](attachment:plot.png) here", "see ![x][1] here\n\n[1]: attachment:plot.png"]
)
def test_a_picture_that_was_attached_does_not_cost_the_page(source: str) -> None:
    """nbconvert ends with an error where an attachment is missing, and nobody would get feedback."""
    page = harmless_markdown(source)
    assert "see" in page
    assert "here" in page


def test_no_repeated_group_forbids_going_back() -> None:
    """`(...)*+` finds too little in Python 3.11.0 to 3.11.4, which Debian 12 has; these tests may run on another."""
    patterns = {n: p.pattern for m in (harmless, outputs) for n, p in vars(m).items() if isinstance(p, re.Pattern)}
    assert {"TAG", "ATTRIBUTE", "BASE64"} <= patterns.keys()
    assert [name for name, text in patterns.items() if re.search(r"\)[*+?]\+", text)] == []
