"""TRUSTED side: what students write, made harmless for the pages that instructors and other students open.

Everything is rebuilt: the result holds escaped text and tags from a short list, closed in the order in which they were
opened, and nothing else can come out. It takes time in proportion to the text, whatever is in it; a parser that repairs
HTML as browsers do spent half a minute on 100 KB of nested tags.
Pages typeset formulas with MathJax, whose `\\href` and kin make links and styles of their own: they are taken apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape, unescape
from typing import Any

from nbconvert.filters.markdown_mistune import markdown2html_mistune

_NAMES = """
b i em strong code pre p br hr div span ul ol li dl dt dd table caption thead tbody tfoot tr th td sub sup
h1 h2 h3 h4 h5 h6 blockquote
"""
TAGS = frozenset(_NAMES.split())
VOID = frozenset(("br", "hr"))
# Outside of these a browser would let the tag end an element of the page around it.
NEEDS = {
    **{name: {"table"} for name in ("caption", "thead", "tbody", "tfoot", "tr")},
    **{name: {"tr"} for name in ("td", "th")},
    "li": {"ul", "ol"},
    **{name: {"dl"} for name in ("dt", "dd")},
}
MAX_DEPTH = 60
MAX_MARKDOWN = 20_000  # characters of one cell; a longer one, which may take minutes to read, is shown as it is typed
# Each piece is found without going back, and none reaches beyond the next `<`, but for a comment that has an end.
# Where a group repeats, no `+` forbids going back: Python before 3.11.5 gets that wrong. What the group may begin with
# decides how it goes on, so to go back is of no use and takes no time beyond the text's length.
TAG = re.compile(r"""<(/?)([a-zA-Z][a-zA-Z0-9:-]*+)((?:[^<>"']|"[^"<]*+"|'[^'<]*+')*)>""")
ATTRIBUTE = re.compile(r"""([a-zA-Z-]++)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++))""")
OTHER = re.compile(r"<[!?][^<>]*+>")
NEXT = re.compile(r"[^<]++|<")
# A class is a name in the page's own style sheet, which could lay text over a mark; these only colour code.
COLOUR_CLASS = re.compile(r"[a-z][a-z0-9]?")
ADDRESS = re.compile(r"(?:https?://|mailto:|#)[^\x00-\x20\x7f]*+", re.IGNORECASE)
ACTIVE_MATH = re.compile(r"\\(?=(?:href|style|class|cssId|data|require|mmlToken|url|unicode|def|let|newcommand)\b)")
ATTACHED = re.compile(r"\]\(\s*<?attachment:")
WORD_JOINER = "\N{WORD JOINER}"
Allowed = Callable[[str, str, str], bool]  # of a tag, an attribute, its value


def harmless_html(html: str) -> str:
    """HTML with the tags of text and tables only, without attributes."""
    return tame_math(_Rebuilt(html, TAGS, lambda *_: False).text)


def harmless_markdown(source: str) -> str:
    """Markdown as HTML: formulas, code in colours, links to the web, and nothing that acts by itself.

    Takes the place of nbconvert's `markdown2html`, which lets scripts and `javascript:` links through.
    """
    as_typed = f"<pre>{tame_math(escape(source, quote=False))}</pre>"
    if len(source) > MAX_MARKDOWN:
        return as_typed
    try:
        # Attachments are not kept; a picture that is one would be an error.
        html = markdown2html_mistune(ATTACHED.sub("](#", source))
    except Exception:  # of what a student wrote, anything; the page is the whole class's business
        return as_typed
    return tame_math(_Rebuilt(html, TAGS | {"a"}, _of_markdown).text)


def _of_markdown(tag: str, name: str, value: str) -> bool:
    if (tag, name) == ("a", "href"):
        return bool(ADDRESS.fullmatch(value))
    return (tag, name) == ("span", "class") and bool(COLOUR_CLASS.fullmatch(value))


def tame_math(html: str) -> str:
    """Break the commands with which a formula could make a link, a style, or a new command."""
    return ACTIVE_MATH.sub(lambda _: "\\" + WORD_JOINER, html)


class _Rebuilt:
    """`text` is the HTML made anew."""

    def __init__(self, html: str, tags: frozenset[str], allowed: Allowed):
        self.html, self.tags, self.allowed = html, tags, allowed
        self.parts: list[str] = []
        self.open: list[str] = []
        self.last_comment = html.rfind("-->")
        at, end = 0, len(html)
        while at < end:
            at = self._tag(at) or self._skipped(at) or self._written(at)
        self._close_down_to(0)
        self.text = "".join(self.parts)

    def _tag(self, at: int) -> int:
        found = TAG.match(self.html, at)
        if not found:
            return 0
        name = found[2].lower()
        if found[1]:
            if name in self.open:
                self._close_down_to(len(self.open) - 1 - self.open[::-1].index(name))
        elif name == "style":  # tables of pandas begin with one
            ends = re.compile(r"</style\b", re.IGNORECASE).search(self.html, found.end())
            return ends.start() if ends else len(self.html)
        elif name in self.tags and not (name in NEEDS and NEEDS[name].isdisjoint(self.open)):
            self._start(name, found[3])
        return found.end()

    def _start(self, name: str, attributes: str) -> None:
        if len(self.open) >= MAX_DEPTH:
            return
        kept = ""
        for key, *values in ATTRIBUTE.findall(attributes) if name in ("a", "span") else ():
            value = _unescaped("".join(values))
            if self.allowed(name, key.lower(), value):
                kept += f' {key.lower()}="{escape(value)}"'
        self.parts.append(f"<{name}{kept}>")
        if name not in VOID:
            self.open.append(name)

    def _close_down_to(self, depth: int) -> None:
        while len(self.open) > depth:
            self.parts.append(f"</{self.open.pop()}>")

    def _skipped(self, at: int) -> int:
        """The end of a comment or declaration that begins here; 0 if none does."""
        if self.html.startswith("<!--", at) and at + 4 <= self.last_comment:
            return self.html.index("-->", at + 4) + 3
        found = OTHER.match(self.html, at)
        return found.end() if found else 0

    def _written(self, at: int) -> int:
        """Text: what it says, and not how it was spelled, or a formula's command could hide in entities."""
        found = NEXT.match(self.html, at)
        self.parts.append(escape(_unescaped(found[0]), quote=False))
        return found.end()


def _unescaped(text: str) -> str:
    try:
        return unescape(text)
    except ValueError:  # an entity of thousands of digits
        return text


def as_it_is(html: str) -> str:
    """Takes the place of nbconvert's `strip_files_prefix`.

    That one looks for old addresses of pictures, of which nothing is left here, and takes an hour for a million `[`.
    """
    return html


# for c.HTMLExporter.filters
FILTERS: dict[str, Any] = {"markdown2html": harmless_markdown, "strip_files_prefix": as_it_is}
