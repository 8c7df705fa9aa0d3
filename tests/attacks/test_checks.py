"""The attack suite's own checks see what they are there to see, and the attacks are worth their name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autograder.engine import Engine
from autograder.exercise import find
from autograder.grading import grade
from autograder.limits import Limits
from tests.attacks import attack, checks
from tests.attacks.attack import BadCase, load, names
from tests.attacks.pages import Page, faults
from tests.grading.classroom import solved_imports

CH02 = "ch02_scaled_dot_product"
ATTENTION = "ch02.scaled_dot_product_attention"
PAGE = "<html><body><script>var x = 1</script><p class='c'>{}<a name='ch02-y'></a></p></body></html>"
ACTIVE = """<script>alert(1)</script>
<script src=//e></script>
<img src=x onerror=alert(1)>
<b onmouseover="x()">b</b>
<a href="javascript:alert(1)">x</a>
<a href="java&#10;script:alert(1)">x</a>
<a href="&#106;avascript:alert(1)">x</a>
<a href="data:text/html,x">x</a>
<img src="https://e/x.png">
<img src="//e/x.png">
<iframe></iframe>
<svg><set></set></svg>
<p style="position:fixed">x</p>
<p style="background:url(x)">x</p>
<style>b{}</style>
<form><input></form>
<meta http-equiv=refresh>
<base href=//e>
</p>
<!-- swallowed
<!--x-->
<![CDATA[x]]>
<?php x
<plaintext>
a < b
<textarea>
<b id="x"></b><b id="x"></b>
<a name="ch02-y"></a>""".splitlines()


@pytest.mark.parametrize("markup", ACTIVE)
def test_what_acts_in_a_page_is_seen(markup: str) -> None:
    assert faults(Page(PAGE.format(markup)), Page(PAGE.format("")), "here")


@pytest.mark.parametrize(
    "markup", ["words", "<p>p<b>b</b></p>", "a &lt;script&gt; b", '<a href="https://x">x</a>', "&#60;b"]
)
def test_text_is_not_taken_for_more(markup: str) -> None:
    assert not faults(Page(PAGE.format(markup)), Page(PAGE.format("")), "here")


def test_the_text_of_a_page_is_what_a_reader_sees() -> None:
    assert Page("<p>a &lt;b&gt;</p>\n<script>x</script> &#99;").words == "a <b> c"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("KIND = 'Secrets'", "should begin with one line"),
        ('"""Tries: it. Must: fail."""\n\nKIND = "x"', "KIND should be one of"),
        ('"""Tries: it. Must: fail."""\n\nKIND = "Secrets"\nSPEAKS = ""', "defines SPEAKS"),
        ('"""Tries: it. Must: fail."""\n\nKIND = "Secrets"\nEARNS = {"ch02.x": 1}', "has no ch02.x"),
    ],
)
def test_a_wrong_attack_file_is_named(tmp_path, monkeypatch, text: str, why: str) -> None:
    (tmp_path / "wrong.py").write_text(text)
    monkeypatch.setattr(attack, "FOLDER", tmp_path)
    monkeypatch.setattr("tests.attacks.cases.__path__", [str(tmp_path)])
    monkeypatch.delitem(attack.importlib.import_module("sys").modules, "tests.attacks.cases.wrong", raising=False)
    with pytest.raises(BadCase, match=why):
        load("wrong")


def test_an_unknown_attack_is_named() -> None:
    with pytest.raises(BadCase, match="no attack 'x'"):
        load("x")


def test_a_process_cannot_hide_from_the_count() -> None:
    """Its parents gone, in a session of its own."""
    import os
    import subprocess
    import sys
    import time

    checks.adopt_orphans()
    before = checks.descendants(os.getpid())
    hide = "import os, time\nif os.fork() == 0:\n os.setsid()\n time.sleep(60)"
    subprocess.run([sys.executable, "-c", hide], check=True)
    time.sleep(0.1)
    (left,) = checks.descendants(os.getpid()) - before
    os.kill(left, 9)
    os.waitpid(left, 0)
    assert checks.descendants(os.getpid()) == before


@pytest.fixture(scope="module")
def engine():
    """An engine for this module."""
    with Engine() as started:
        yield started


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in names() if n.startswith("shortcut_")])
def test_the_shortcuts_work_where_nothing_is_forbidden(engine: Engine, name: str) -> None:
    """Else it would prove nothing that they are refused."""
    tried = load(name)
    files = {file: text.encode() for file, text in tried.files.items()}
    with engine.student(Limits(case_seconds=60), files) as student:
        for cell in (solved_imports(CH02), tried.setup, tried.answers[ATTENTION]):
            student.run_cell(cell)
        assert grade(replace(find(ATTENTION), forbids={}), student, 1, [], set()).passed
