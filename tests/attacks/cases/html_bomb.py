"""Tries: HTML outputs on which a parser takes hours: nested and misnested tags. Must: be graded in time."""

KIND = "Script in pages"
SETUP = """
from IPython.display import HTML, display
for part in ("<div>" * 60_000, "<b><p>" * 40_000, "<a><table>" * 20_000, "<table>" * 50_000, "</p>" * 100_000,
             "<b " + "x=1 " * 100_000 + ">", "&" * 400_000, "<" * 400_000, "<!--" * 90_000, "<i><b><u><s>" * 20_000):
    display(HTML(part[:480_000]))
print("shown")
"""
SHOWS = "shown"
SECONDS = 60.0
