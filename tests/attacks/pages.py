"""What could run, load or take over something in a page that an instructor or a student opens."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

RUNS = {
    "script", "iframe", "frame", "frameset", "object", "embed", "applet", "portal", "fencedframe", "meta", "base",
    "link", "style", "template", "noscript", "plaintext", "xmp", "animate", "animatetransform", "animatemotion", "set",
    "use", "foreignobject", "noembed", "noframes", "title", "head", "body", "html", "dialog", "marquee", "form",
    "input", "button", "select", "textarea", "option", "isindex", "audio", "video", "source", "track",
}  # fmt: skip
ADDRESSES = {
    "href", "src", "xlink:href", "action", "formaction", "data", "poster", "background", "srcset", "cite", "longdesc",
    "ping", "manifest", "lowsrc", "dynsrc", "codebase", "classid", "profile",
}  # fmt: skip
LOADS = ADDRESSES - {"href", "cite", "longdesc", "action", "formaction"}
RUNNING_STYLE = re.compile(r"position|z-index|url\s*\(|expression|behaviou?r|@import|-moz-binding|image-set|\\", re.I)
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
UNSAFE_SCHEME = re.compile(r"(?!https?:|mailto:|#|data:image/(png|jpeg|gif|svg\+xml)[;,])[a-z][a-z0-9+.-]*:", re.I)
NOT_IN_AN_ADDRESS = re.compile(r"[\x00-\x20\x7f]")


@dataclass
class Page(HTMLParser):
    """A parsed page: `active` describes each thing that is more than text, `places` where each graded cell stands."""

    text: str
    active: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    places: dict[str, list[str]] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=False)  # else `&lt;!--` could not be told from `<!--`
        self.open: list[str] = []
        self.inside: list[str] | None = None  # the text of the script or style that is open
        self.feed(self.text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name.lower(): value or "" for name, value in attrs}
        if tag in RUNS:
            self.active.append(f"<{tag} {' '.join(f'{k}={v[:200]!r}' for k, v in sorted(given.items()))}>")
        self.active += [found for name, value in given.items() if (found := _active_attribute(tag, name, value))]
        self.ids += [v for k, v in given.items() if k in ("id", "name")]
        if tag == "a" and given.get("name", "top") != "top" and not given["name"].startswith("comment-"):
            self.places.setdefault(given["name"], list(self.open))
        if tag in ("script", "style"):
            self.inside = []
        if tag not in VOID:
            self.open.append(f"{tag}.{given.get('class', '')}")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style") and self.inside is not None:
            self.active.append(f"<{tag}> holding {_squeezed(''.join(self.inside))}")
            self.inside = None
        for i in range(len(self.open) - 1, -1, -1):
            if self.open[i].partition(".")[0] == tag:
                del self.open[i:]
                return

    def handle_data(self, data: str) -> None:
        if self.inside is not None:
            self.inside.append(data)
            return
        self.said.append(data)
        if "<" in data:  # no tag to this parser; who knows what it is to a browser
            self.active.append(f"a stray < in {data[:100]!r}")

    def handle_entityref(self, name: str) -> None:
        self.said.append(html.unescape(f"&{name};"))

    def handle_charref(self, name: str) -> None:
        self.said.append(html.unescape(f"&#{name};"))

    def handle_comment(self, data: str) -> None:
        self.active.append(f"<!--{data[:100]}-->")

    def handle_decl(self, decl: str) -> None:
        self.active.append(f"<!{decl[:100]}>")

    def unknown_decl(self, data: str) -> None:
        self.active.append(f"<![{data[:100]}]>")

    def handle_pi(self, data: str) -> None:
        self.active.append(f"<?{data[:100]}>")

    @property
    def words(self) -> str:
        """What a reader sees, with single spaces."""
        return " ".join("".join(self.said).split())


def _squeezed(text: str) -> str:
    """A script as one line; what a template makes anew for each page is left out."""
    return re.sub(r'(var \w+ = )"[^"]*"', r"\1...", " ".join(text.split()))


def _active_attribute(tag: str, name: str, value: str) -> str:
    address = NOT_IN_AN_ADDRESS.sub("", html.unescape(value))
    if name.startswith("on") or name in ("srcdoc", "is", "contenteditable", "autofocus", "accesskey", "data-link"):
        return f"<{tag} {name}={value[:200]!r}>"
    if name in ADDRESSES and UNSAFE_SCHEME.match(address):
        return f"<{tag} {name}={address[:200]!r}>"
    if name in LOADS and re.match(r"(https?:)?//", address):
        return f"<{tag} loads {address[:200]!r}>"
    if name == "style" and RUNNING_STYLE.search(value):
        return f"<{tag} style={value[:200]!r}>"
    return ""


def faults(page: Page, honest: Page, where: str) -> list[str]:
    """What the page has beyond an honest student's page, in words; empty if nothing."""
    known = set(honest.active)
    found = [f"{where}: {text}" for text in dict.fromkeys(page.active) if text not in known]
    doubled = {i for i in page.ids if page.ids.count(i) > max(1, honest.ids.count(i))}
    found += [f"{where}: {page.ids.count(i)} elements of the id {i!r}" for i in sorted(doubled)]
    for name, place in honest.places.items():
        if page.places.get(name) != place:
            found.append(f"{where}: the graded cell {name} does not stand where it should: {page.places.get(name)}")
    return found
