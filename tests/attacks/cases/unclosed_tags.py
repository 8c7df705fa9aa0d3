"""Tries: tags and comments that are never closed, and closing ones that were never opened. Must: swallow nothing."""

from tests.attacks.cases import markdown

KIND = "Script in pages"
parts = [
    "</div></div></div></div></div></div></body></html>", "<!--", "<plaintext>", "<textarea>", "<title>", "<select>",
    "<style>", "<script>", "<xmp>", "<noscript>", "<svg><style>", "<math><annotation-xml encoding='text/html'>",
    "<template>", "<table><tr><td>", "<a href='", '<b title="', "<!DOCTYPE x [", "<?php", "<![CDATA[",
]  # fmt: skip
SETUP = f"""
from IPython.display import HTML, display
for part in {parts!r}:
    display(HTML(part))
    print("shown")
"""
SHOWS = "shown"


def tamper(notebook):
    for part in parts:
        markdown(part)(notebook)
