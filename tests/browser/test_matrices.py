"""The view in three dimensions, on a bare page with WebGL drawn in software: pointer, keys, colours, and without it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, Playwright, expect

from course.supplied import m26
from course.widgets.matrix_walk import MatrixFlow
from tests.browser.bare_page import bare_page, mount, next_frame
from tests.browser.component import eventually
from tests.browser.conftest import NO_WEBGL, WEBGL, launched

pytest_plugins = ["tests.browser.component"]

KEYS = "blocks.0.attention.key"
WEIGHTS = "blocks.0.attention.weights.0"


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """With WebGL; it stands in the place of the browser of the other tests."""
    with launched(playwright, *WEBGL) as browser:
        yield browser


@pytest.fixture(scope="module")
def card() -> MatrixFlow:
    """The card with the model that knows the products."""
    return MatrixFlow()


def at(card: MatrixFlow, stage: str, whole: bool = False):
    """The card's view at a stage."""
    card.whole.value = whole
    card.stepper.step = [one.name for one in card.stages].index(stage)
    card.picture.hover = []
    return card.picture


def sweep(page: Page) -> dict[tuple, tuple[float, float]]:
    """Move the pointer over the whole picture: for every cell that it found, where that was."""
    box = page.locator("canvas").bounding_box()
    found = {}
    for y in np.linspace(box["y"] + 4, box["y"] + box["height"] - 4, 16):
        for x in np.linspace(box["x"] + 4, box["x"] + box["width"] - 4, 30):
            page.mouse.move(x, y)
            if cell := page.evaluate("model.get('hover')"):
                found.setdefault(tuple(cell), (x, y))
    return found


def number_shown(page: Page) -> float:
    """The number in the label at the marked cell."""
    return float(re.search(r"= (\S+)$", page.locator(".cw-tip").inner_text())[1].replace("\u2212", "-"))


def frames(page: Page) -> int:
    """How many pictures were drawn."""
    return int(page.locator(".cw-matrices").get_attribute("data-frames"))


def look(page: Page) -> bytes:
    """The picture that is drawn when nothing moves any more."""
    page.wait_for_timeout(300)
    return page.locator("canvas").screenshot()


def test_a_cell_under_the_pointer_shows_torchs_number_and_can_be_clicked(component, card: MatrixFlow) -> None:
    page = component(at(card, KEYS))
    trace = m26.collect_trace(card.model, torch.tensor(card.run.tokens))
    cells = {cell: place for cell, place in sweep(page).items() if cell[0] == KEYS}
    assert len(cells) >= 20  # of 48
    for (_, row, column), (x, y) in list(cells.items())[:12]:
        page.mouse.move(x, y)
        eventually(page, lambda row=row, column=column: page.evaluate("model.get('hover')") == [KEYS, row, column])
        next_frame(page)
        assert number_shown(page) == pytest.approx(trace[KEYS][row, column].item(), abs=6e-5)
    page.mouse.click(x, y)
    clicked = page.evaluate("model.get('clicked')")
    assert clicked == {"name": KEYS, "row": row, "column": column, "count": 1}
    assert page.evaluate("model.messages.length") > 12


def test_the_whole_model_is_there_to_be_clicked(component, card: MatrixFlow) -> None:
    page = component(at(card, "probabilities", whole=True))
    names = {name for name, *_ in sweep(page)}
    assert {"embed", KEYS, "blocks.0.ffn.hidden", "logits", "p.blocks.0.ffn.w_1"} <= names
    assert len(names) >= 20


def test_arrow_keys_walk_and_shift_turns(component, card: MatrixFlow) -> None:
    page = component(at(card, WEIGHTS.removesuffix(".0")))
    page.keyboard.press("Tab")
    expect(page.locator("canvas")).to_be_focused()
    assert page.evaluate("model.get('hover')") == [WEIGHTS, 0, 0]
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowUp", "ArrowUp", "ArrowUp", "ArrowDown"):
        page.keyboard.press(key)
    assert page.evaluate("model.get('hover')") == [WEIGHTS, 1, 1]
    value = card.run[WEIGHTS].values[1, 1]
    expect(page.locator("[aria-live]")).to_have_text(f"attention weights, head 0 [*, *] = {value:.4f}")
    before = look(page)
    for key in ("Shift+ArrowRight", "Shift+ArrowDown", "+"):
        page.keyboard.press(key)
    turned = look(page)
    assert turned != before
    page.keyboard.press("-")
    assert look(page) != turned
    page.keyboard.press("0")
    assert look(page) == before
    page.keyboard.press("Escape")
    assert page.evaluate("model.get('hover')") == []


def test_dragging_turns_and_only_ctrl_and_the_wheel_zoom(component, card: MatrixFlow) -> None:
    page = component(at(card, KEYS))
    box = page.locator("canvas").bounding_box()
    x, y = box["x"] + 100, box["y"] + 100
    before = look(page)
    page.mouse.move(x, y)
    page.mouse.wheel(0, 100)
    assert look(page) == before
    page.keyboard.down("Control")
    page.mouse.wheel(0, 100)
    page.keyboard.up("Control")
    zoomed = look(page)
    assert zoomed != before
    page.mouse.down()
    page.mouse.move(x + 60, y + 20, steps=4)
    page.mouse.up()
    assert look(page) != zoomed
    assert page.evaluate("model.get('clicked')") == {}  # turning is no click
    page.evaluate("model.receive({ resets: 1 })")
    assert look(page) == before


def test_it_draws_only_when_something_changed_and_while_it_is_seen(component, card: MatrixFlow) -> None:
    page = component(at(card, KEYS))
    page.wait_for_timeout(500)
    count = frames(page)
    page.wait_for_timeout(500)
    assert frames(page) == count
    page.evaluate("document.body.style.paddingTop = '3000px'")
    page.wait_for_timeout(200)
    count = frames(page)
    page.evaluate(f"model.receive({{ hover: ['{KEYS}', 1, 1] }})")
    page.wait_for_timeout(300)
    assert frames(page) == count
    page.evaluate("document.body.style.paddingTop = '0'")
    eventually(page, lambda: frames(page) > count)


def test_what_made_a_cell_is_lit_and_the_theme_is_followed(component, card: MatrixFlow) -> None:
    page = component(at(card, KEYS))
    plain = look(page)
    lit = [{"name": "blocks.0.norm_1", "rows": [2, 3], "columns": [0, 12]}]
    page.evaluate("(lit) => model.receive({ lit })", lit)
    assert look(page) != plain
    page.evaluate("model.receive({ lit: [] })")
    assert look(page) == plain
    page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    assert look(page) != plain


def test_the_next_scene_and_another_prompt(component, card: MatrixFlow) -> None:
    view = at(card, KEYS)
    page = component(view)
    expect(page.locator(".cw-over-name").first).to_have_text("layer norm 14 \u00d7 12")
    card.prompt.value = "9*9=8"
    at(card, "blocks.0.attention.scores")
    page.evaluate("(state) => model.receive(state)", {n: view.get_state()[n] for n in
                  ("matrices", "scene", "signs", "links", "current", "hover", "lit")})  # fmt: skip
    next_frame(page)
    names = page.locator(".cw-over-name").all_inner_texts()
    assert any(name.startswith("scores, head 1") and "5 \u00d7 5" in name for name in names)
    card.prompt.value = "7*8="


def test_accessible_in_both_themes(component, axe, card: MatrixFlow) -> None:
    for dark in (False, True):
        assert axe(component(at(card, KEYS), dark=dark)) == []


def test_ends_cleanly(component, card: MatrixFlow) -> None:
    page = component(at(card, KEYS))
    page.evaluate("model.close()")
    page.evaluate("model.receive({ hover: [] })")
    next_frame(page)
    assert page.evaluate("model.listeners.length") == 0
    assert page.evaluate("document.querySelector('canvas').getContext('webgl2').isContextLost()")


def test_without_webgl_the_rest_works_and_says_so(playwright: Playwright, card: MatrixFlow) -> None:
    with launched(playwright, *NO_WEBGL, "--disable-3d-apis") as browser:
        page = bare_page(browser.new_context(viewport={"width": 900, "height": 700}), dark=False, card=True)
        mount(page, [at(card, KEYS)])
        expect(page.get_by_text("This browser shows no WebGL")).to_be_visible()
        page.evaluate(f"model.receive({{ hover: ['{KEYS}', 1, 1] }})")
        expect(page.locator("[aria-live]")).to_contain_text("keys K [*, 1] =")
        assert page.errors == []
