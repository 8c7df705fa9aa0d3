"""The harness itself: a notebook runs, its kernel answers, both themes are real, nothing leaves the machine unseen."""

from __future__ import annotations

import json

import pytest

from tests.browser.conftest import OpenNotebook
from tests.browser.lab import LabServer, Theme


def test_a_notebook_runs_and_its_kernel_answers(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(["import numpy as np\nx = np.arange(3)", "print(x.sum())"])
    assert notebook.py("x") == [0, 1, 2]
    assert notebook.outputs(1) == [{"output_type": "stream", "name": "stdout", "text": "3\n"}]


def test_a_cell_is_edited_and_run_again(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(["answer = 'a'", "answer * 2"])
    notebook.set_cell(0, "answer = 'b'").run_cell(0)
    (output,) = notebook.run_cell(1)
    assert output["data"]["text/plain"] == "'bb'"
    assert notebook.cell(1).locator(".jp-OutputArea-output").inner_text() == "'bb'"
    assert notebook.cells()[0]["source"] == "answer = 'b'"


def test_an_existing_notebook_is_copied_not_touched(open_notebook: OpenNotebook, lab: LabServer, tmp_path) -> None:
    open_notebook(["1 + 1"]).save()
    saved = next(lab.root.glob("test_an_existing*-0.ipynb"))
    original = tmp_path / "original.ipynb"
    original.write_bytes(saved.read_bytes())
    copy = open_notebook(original)
    copy.set_cell(0, "2 + 2").save()
    assert original.read_bytes() == saved.read_bytes()
    assert "2 + 2" in (lab.root / saved.name.replace("-0.", "-1.")).read_text()


def test_a_cell_that_raises_fails_the_run(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(["1 / 0"], run=False)
    with pytest.raises(AssertionError, match="cell 0: ZeroDivisionError"):
        notebook.run_all()
    notebook.run_all(allow_errors=True)
    with pytest.raises(RuntimeError, match="NameError"):
        notebook.py("no_such_name")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_theme_is_applied(open_notebook: OpenNotebook, theme: Theme) -> None:
    notebook = open_notebook(["print('a picture of both themes')"], theme=theme)
    background = "getComputedStyle(document.body).getPropertyValue('--jp-layout-color1').trim()"
    brightness = {"light": 255, "dark": 0x11}[theme]
    assert notebook.page.evaluate(f"CSS.supports('color', {background})")
    assert _grey(notebook.page.evaluate(_PAINTED)) == pytest.approx(brightness, abs=24)
    assert notebook.screenshot(f"harness-{theme}").stat().st_size > 5_000


_PAINTED = "getComputedStyle(document.querySelector('.jp-NotebookPanel-notebook')).backgroundColor"


def _grey(colour: str) -> float:
    """The mean channel of a CSS rgb() colour."""
    channels = [int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    return sum(channels) / 3


def test_a_request_that_leaves_the_machine_is_refused_and_reported(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(["1"])
    failed = notebook.page.evaluate("fetch('https://example.org/x.js').then(() => false, () => true)")
    assert failed
    with pytest.raises(AssertionError, match=r"left the machine: .*example\.org/x\.js"):
        notebook.assert_clean()
    notebook.offsite.clear()


def test_an_error_on_the_page_is_reported(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(["1"])
    notebook.page.evaluate("setTimeout(() => { throw new Error('from a widget') })")
    notebook.page.wait_for_timeout(100)
    with pytest.raises(AssertionError, match="from a widget"):
        notebook.assert_clean()
    notebook.errors.clear()


def test_the_kernel_is_this_python_with_the_course(open_notebook: OpenNotebook) -> None:
    import sys

    notebook = open_notebook(["import sys"])
    assert notebook.py("sys.executable") == sys.executable
    assert notebook.py("__import__('importlib').util.find_spec('course') is not None")


def test_nbgraders_extensions_are_on_as_after_a_plain_install(lab: LabServer, open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(["1"])
    notebook.page.get_by_role("button", name="Validate").wait_for()
    assert json.loads(lab.request("courses"))["success"]
