"""Whatever a submitted notebook's metadata says, the cells that are graded are the gradebook's, each once."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from autograder.steps.restore import KnownCell, restored

KNOWN = {
    "a-code": KnownCell("a-code", "code", False, "# Your code here.", "0", None, True),
    "a": KnownCell("a", "code", True, 'check("a")\n### BEGIN HIDDEN TESTS\ngraded("a")', "1", 2.0, False),
    "b": KnownCell("b", "code", True, 'check("b")', "2", 1.0, False),
}

json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from([*KNOWN, "", "c"]) | json
marks = st.fixed_dictionaries({"grade_id": names}, optional={"points": json, "grade": json, "schema_version": json})
metadata = st.fixed_dictionaries({}, optional={"nbgrader": marks | json, "tags": json}) | json
sources = st.text(max_size=20) | st.lists(st.text(max_size=5) | st.integers(), max_size=3)
cells = st.fixed_dictionaries(
    {"cell_type": st.sampled_from(["code", "markdown", "raw", "heading"])},
    optional={"source": sources, "metadata": metadata, "id": json, "outputs": json},
)


def grade_ids(made: list[dict[str, Any]]) -> list[str]:
    """The names of the cells that nbgrader will know again."""
    return [c["metadata"]["nbgrader"]["grade_id"] for c in made if "nbgrader" in c["metadata"]]


@given(st.lists(cells, max_size=8))
def test_each_locked_cell_is_there_once_as_the_gradebook_has_it(submitted: list[dict[str, Any]]) -> None:
    """And an answer cell at most once, with the gradebook's metadata."""
    made, _ = restored(submitted, KNOWN)
    found = grade_ids(made)
    assert len(set(found)) == len(found)
    assert {"a", "b"} <= set(found) <= set(KNOWN)
    for cell in made:
        if name := cell["metadata"].get("nbgrader", {}).get("grade_id"):
            assert cell["metadata"] == KNOWN[name].metadata()
            assert cell["source"] == KNOWN[name].source or not KNOWN[name].locked


def indented(text: str) -> str:
    """As markdown shows it letter by letter: what a raw cell would put into a page as HTML."""
    return "\n".join(f"    {line}" for line in text.splitlines())


@given(st.lists(cells, max_size=8))
def test_no_other_cell_loses_its_text_or_keeps_metadata(submitted: list[dict[str, Any]]) -> None:
    """Cells keep their order; ids are new; nothing but text of the student's gets through."""
    made, _ = restored(submitted, KNOWN)
    assert len(made) >= len(submitted)
    assert len({c["id"] for c in made}) == len(made)
    for old, new in zip(submitted, made, strict=False):
        if "nbgrader" not in new["metadata"]:
            source = old.get("source", "")
            text = source if isinstance(source, str) else "".join(s for s in source if isinstance(s, str))
            shown = text if old["cell_type"] in ("code", "markdown") else indented(text)
            assert new["source"] == shown.encode("utf-8", "replace").decode()
            assert new["metadata"] == {}


def test_an_untouched_notebook_gets_no_notes() -> None:
    """The student is told only of what was mended."""
    text = {"a-code": "def a(): return 1", "a": 'check("a")', "b": 'check("b")\n'}
    submitted = [{"cell_type": "code", "source": text[n], "metadata": k.metadata()} for n, k in KNOWN.items()]
    made, notes = restored(submitted, KNOWN)
    assert notes == []
    assert [c["source"] for c in made] == ["def a(): return 1", KNOWN["a"].source, KNOWN["b"].source]
