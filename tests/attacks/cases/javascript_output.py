"""Tries: outputs of JavaScript, widgets, Vega, Plotly and types that nobody knows. Must: run nothing."""

KIND = "Script in pages"
SETUP = """
from IPython.display import Javascript, display
display(Javascript("alert(1)"))
for kind in ("application/javascript", "text/javascript", "application/vnd.jupyter.widget-view+json", "text/latex",
             "application/vnd.jupyter.widget-state+json", "application/vnd.vegalite.v5+json", "text/markdown",
             "application/vnd.plotly.v1+json", "application/vnd.evil", "application/xhtml+xml", "application/pdf",
             "application/geo+json", "text/x-python", "image/png; x=<script>", "text/html; charset=x", "TEXT/HTML"):
    display({kind: "<script>alert(1)</script>alert(1)"}, raw=True)
print("all shown")
"""
SHOWS = "all shown"
