"""Fixtures that mount a view on a bare page in headless Chromium: no Jupyter, 1 to 3 seconds a test.

page = component(Heatmap(values=...), dark=True, width=600)
page.evaluate("model.get('hover')")        # `models[i]` if several views were given
"""

import time

import pytest

from tests.browser.bare_page import WIDGETS, bare_page, mount

AXE = WIDGETS / "js" / "node_modules" / "axe-core" / "axe.min.js"
RUN_AXE = """async () => {
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const result = await axe.run("#root", { runOnly: tags, rules: { region: { enabled: false } } });
  return result.violations.map((v) => `${v.id}: ${v.nodes[0].html.slice(0, 160)} ${v.nodes[0].failureSummary}`);
}"""


def eventually(page, condition, seconds=10):
    """Wait until `condition()` holds: what takes a frame on an idle machine takes longer on a busy one."""
    ends = time.monotonic() + seconds
    while not (holds := condition()) and time.monotonic() < ends:
        page.wait_for_timeout(20)
    assert holds, "it did not happen in time"


@pytest.fixture
def component(browser):
    """component(*views, dark=False, width=900, card=True) mounts views and returns the page."""
    pages = []

    def mounted(*views, dark=False, width=900, card=True):
        context = browser.new_context(viewport={"width": width, "height": 800}, reduced_motion="reduce")
        page = bare_page(context, dark, card)
        pages.append(page)
        mount(page, views)
        return page

    yield mounted
    errors = [error for page in pages for error in page.errors]
    for page in pages:
        page.context.close()
    assert not errors, errors


@pytest.fixture
def axe():
    """axe(page) returns the accessibility violations found by axe-core, as text."""
    if not AXE.exists():
        pytest.fail("axe-core is missing: run `npm ci` in course/widgets/js")

    def run(page):
        page.evaluate(AXE.read_text())
        return page.evaluate(RUN_AXE)

    return run
