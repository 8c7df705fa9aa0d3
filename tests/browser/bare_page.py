"""A bare page that serves the bundle of views and mounts them: no Jupyter, no kernel, no network."""

from pathlib import Path

HERE = Path(__file__).parent
WIDGETS = HERE.parents[1] / "course" / "widgets"
ORIGIN = "http://component.test/"
FILES = {
    "static_host.js": (HERE / "static_host.js", "text/javascript"),
    "views.js": (WIDGETS / "static" / "views.js", "text/javascript"),
    "matrices.js": (WIDGETS / "static" / "matrices.js", "text/javascript"),
    "views.css": (WIDGETS / "static" / "views.css", "text/css"),
}
PAGE = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>component</title>
    <link rel="stylesheet" href="views.css">
    <style>{variables} body {{ margin: 8px; background: {surface} }}</style>
  </head>
  <body data-jp-theme-light="{light}"><main id="root" class="{card}"></main></body>
</html>"""
LIGHT = (
    ":root { --jp-layout-color1: #fff; --jp-layout-color2: #eee; --jp-ui-font-color0: #000;"
    " --jp-ui-font-color1: rgba(0,0,0,.87); --jp-border-color2: #e0e0e0 }"
)
DARK = (
    ":root { --jp-layout-color1: #212121; --jp-layout-color2: #424242; --jp-ui-font-color0: #fff;"
    " --jp-ui-font-color1: rgba(255,255,255,.87); --jp-border-color2: #616161 }"
)
MOUNT = """async (states) => {
  const { mount } = await import("./static_host.js");
  globalThis.models = [];
  for (const state of states) models.push(await mount(state, document.getElementById("root")));
  globalThis.model = models[0];
}"""


def synced_state(widget) -> dict:
    """Return the traits of a view as the browser gets them."""
    return {
        name: value
        for name, value in widget.get_state().items()
        if not name.startswith("_") and name not in ("layout", "tabbable", "tooltip")
    }


def serve(route) -> None:
    """Answer a request from the files of the bundle; everything else does not exist."""
    name = route.request.url.removeprefix(ORIGIN)
    if name not in FILES:
        route.fulfill(status=404, body="")
        return
    path, content_type = FILES[name]
    route.fulfill(body=path.read_bytes(), content_type=content_type)


def page_text(dark: bool, card: bool) -> str:
    """Return the page's HTML in a theme, with or without the card around the views."""
    variables, surface = (DARK, "#212121") if dark else (LIGHT, "#fff")
    light, classes = str(not dark).lower(), "course-widget" if card else ""
    return PAGE.format(variables=variables, surface=surface, light=light, card=classes)


def bare_page(context, dark: bool, card: bool):
    """Open an empty page with the style sheet and JupyterLab's theme variables."""
    page = context.new_page()
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.route("**/*", serve)
    page.route(ORIGIN, lambda route: route.fulfill(content_type="text/html", body=page_text(dark, card)))
    page.goto(ORIGIN)
    return page


def mount(page, views) -> None:
    """Mount views one under another; the page then has `models`, and the first as `model`."""
    page.evaluate(MOUNT, [synced_state(view) for view in views])
    next_frame(page)


def next_frame(page) -> None:
    """Wait until what was set has been painted."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
