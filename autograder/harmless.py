"""TRUSTED side: what students write, made harmless for the pages that instructors and other students open.

Everything is rebuilt from a short list of tags, so what is not known to be harmless is shown as text or left out.
Pages typeset formulas with MathJax, whose `\\href` and kin make links and styles of their own: they are taken apart.
"""

from __future__ import annotations

import re
from typing import Any

import bleach
from nbconvert.filters.markdown_mistune import markdown2html_mistune

TAGS = """
b i em strong code pre p br hr div span ul ol li dl dt dd table caption thead tbody tfoot tr th td sub sup
h1 h2 h3 h4 h5 h6 blockquote
"""
# A class is a name in the page's own style sheet, which could lay text over a mark; these only colour code.
COLOUR_CLASS = re.compile(r"[a-z][a-z0-9]?")
ACTIVE_MATH = re.compile(r"\\(?=(?:href|style|class|cssId|data|require|mmlToken|url|unicode|def|let|newcommand)\b)")
WORD_JOINER = "\N{WORD JOINER}"


def harmless_html(html: str) -> str:
    """HTML with the tags of text and tables only, without attributes."""
    return tame_math(bleach.clean(html, tags=TAGS.split(), attributes={}, protocols=[], strip=True))


def harmless_markdown(source: str) -> str:
    """Markdown as HTML: formulas, code in colours, links to the web, and nothing that acts by itself.

    Takes the place of nbconvert's `markdown2html`, which lets scripts and `javascript:` links through.
    """
    html = markdown2html_mistune(source)
    clean = bleach.clean(
        html, tags=[*TAGS.split(), "a"], attributes=_allowed, protocols=["http", "https", "mailto"], strip=True
    )
    return tame_math(clean)


def _allowed(tag: str, name: str, value: str) -> bool:
    return (tag, name) == ("a", "href") or ((tag, name) == ("span", "class") and bool(COLOUR_CLASS.fullmatch(value)))


def tame_math(html: str) -> str:
    """Break the commands with which a formula could make a link, a style, or a new command."""
    return ACTIVE_MATH.sub(lambda _: "\\" + WORD_JOINER, html)


FILTERS: dict[str, Any] = {"markdown2html": harmless_markdown}  # for c.HTMLExporter.filters
