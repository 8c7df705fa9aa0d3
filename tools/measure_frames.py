#!/usr/bin/env python
"""Count the frames a second that the view in three dimensions draws while it is turned by the mouse (m26).

Shows the card's view on a bare page in headless Chromium, where software draws: a graphics card is faster. The pointer
moves as fast as the page answers, which bounds the figure too.

    make bench-frames            or            python tools/measure_frames.py --seconds 4
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.sync_api import Browser, Page, sync_playwright

from course.widgets.matrix_walk import MatrixFlow
from course.widgets.views import STATIC
from tests.browser.bare_page import bare_page, mount
from tests.browser.conftest import WEBGL, launched

SCENES = {
    "a product with the most tiles": ("blocks.0.ffn.hidden", False),
    "attention, two heads": ("blocks.0.attention.mix", False),
    "the whole model": ("probabilities", True),
}
RENDERER = """() => {
  const gl = document.createElement("canvas").getContext("webgl2");
  return gl.getParameter(gl.getExtension("WEBGL_debug_renderer_info").UNMASKED_RENDERER_WEBGL);
}"""


def measure(browser: Browser, card: MatrixFlow, stage: str, whole: bool, seconds: float) -> tuple[float, str]:
    """Frames a second in one scene, and what draws."""
    card.whole.value = whole
    card.stepper.step = [one.name for one in card.stages].index(stage)
    page = bare_page(browser.new_context(viewport={"width": 960, "height": 620}), dark=False, card=True)
    mount(page, [card.picture])
    page.wait_for_timeout(1500)
    rate, renderer = turned(page, seconds), page.evaluate(RENDERER)
    page.context.close()
    return rate, renderer


def turned(page: Page, seconds: float) -> float:
    """Drag over the picture for a while."""
    box = page.locator("canvas").bounding_box()
    x, y = box["x"] + box["width"] / 3, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    begun, before, moves = time.perf_counter(), frames(page), 0
    while time.perf_counter() - begun < seconds:
        moves += 1
        page.mouse.move(x + 2.5 * (moves % 40), y + moves % 30)
    rate = (frames(page) - before) / (time.perf_counter() - begun)
    page.mouse.up()
    return rate


def frames(page: Page) -> int:
    """How many pictures were drawn so far."""
    return int(page.locator(".cw-matrices").get_attribute("data-frames"))


def main() -> None:
    """Measure every scene and print the figures, the bundle's size and the machine's load."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0)
    seconds, card = parser.parse_args().seconds, MatrixFlow()
    with sync_playwright() as playwright, launched(playwright, *WEBGL) as browser:
        for name, (stage, whole) in SCENES.items():
            rate, renderer = measure(browser, card, stage, whole, seconds)
            print(f"{name}: {rate:.0f} frames a second")
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    print(f"drawn by {renderer}; load (1, 5, 15 min) {load} on {os.cpu_count()} cores")
    print(f"bundle: {(STATIC / 'matrices.js').stat().st_size / 1000:.0f} kB, loaded by this view alone")


if __name__ == "__main__":
    main()
