"""Tries: an HTML output that asks to be shown in a frame of its own. Must: get none."""

KIND = "Script in pages"
SETUP = """
from IPython.display import display
for metadata in ({"text/html": {"isolated": True}}, {"isolated": True}):
    display({"text/html": "<script>alert(1)</script>framed"}, metadata=metadata, raw=True)
print("asked")
"""
SHOWS = "asked"
