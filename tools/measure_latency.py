#!/usr/bin/env python
"""Measure a widget as a student feels it: from the key press to the repainted picture, in real JupyterLab.

Opens the released ch02 with the right `scaled_dot_product_attention`, moves the "query x" slider by arrow keys, and
takes the time from the key event's own time stamp to the end of the first frame in which the heat-map has changed:
browser to kernel, the student's function (and ours beside it), back, painted.

    make bench-latency            or            python tools/measure_latency.py --presses 30
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.sync_api import sync_playwright

from tests.browser.conftest import NO_WEBGL, launched
from tests.browser.lab import LabServer, NotebookPage, place_notebook
from tests.browser.lesson import Lesson, released, solution

EXERCISE = "ch02.scaled_dot_product_attention"
WIDGET = "attention_plane(scaled_dot_product_attention)"
WATCH = """(output) => {
  const table = output.querySelector("table.cw-heat tbody");
  window.latencies = [];
  let pressed = 0;
  document.addEventListener("keydown", (event) => { pressed = event.timeStamp; }, { capture: true });
  new MutationObserver(() => {
    if (!pressed) return;
    const start = pressed;
    pressed = 0;
    // views paint in an animation frame; a message posted there comes after the frame
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => window.latencies.push(performance.now() - start);
    port2.postMessage(null);
  }).observe(table, { subtree: true, characterData: true, childList: true, attributes: true });
}"""


def measure(presses: int) -> list[float]:
    """Milliseconds from key press to repaint, one for each press that changed the picture."""
    with tempfile.TemporaryDirectory() as folder:
        root, state = Path(folder, "notebooks"), Path(folder, "lab")
        root.mkdir()
        state.mkdir()
        place_notebook(released("ch02"), root / "ch02.ipynb")
        server = LabServer(root, state)
        try:
            with sync_playwright() as playwright, launched(playwright, *NO_WEBGL) as browser:
                return in_browser(NotebookPage(server.wait(), browser), presses)
        finally:
            server.stop()


def in_browser(notebook: NotebookPage, presses: int) -> list[float]:
    """Open, solve, show the widget, press the keys."""
    lesson = Lesson(notebook.open("ch02.ipynb"))
    lesson.run("import matplotlib.pyplot as plt")
    lesson.write(EXERCISE, solution(EXERCISE))
    output = lesson.run(WIDGET)
    assert "Drawn by your" in output.locator(".cw-status").inner_text()
    output.evaluate(WATCH)
    output.get_by_role("slider", name="query x").focus()
    for press in range(presses + 5):  # the first five warm up
        lesson.page.keyboard.press("ArrowLeft" if press % 20 < 10 else "ArrowRight")
        lesson.page.wait_for_timeout(250)
    return lesson.page.evaluate("window.latencies")[5:]


def main() -> None:
    """Measure and print median, 95th percentile and the machine's load."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presses", type=int, default=30)
    times = sorted(measure(parser.parse_args().presses))
    p95 = times[min(len(times) - 1, round(0.95 * (len(times) - 1)))]
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    print(f"key press -> repaint: median {statistics.median(times):.0f} ms, p95 {p95:.0f} ms, {len(times)} presses;")
    print(f"load (1, 5, 15 min) {load} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
