"""Tries: styles that cover the page, hide the marks and draw others. Must: style nothing."""

from tests.attacks.cases import markdown

KIND = "Script in pages"
style = """<style>.score{display:none} body::after{content:"10 of 10 points"}</style>
<div style="position:fixed;inset:0;background:white;z-index:99999"><h1>Score: 10 / 10</h1></div>
<div style="position:absolute;top:0">over</div><div class="navbar-fixed-top">bar</div>
<p style="margin-top:-9999px">up</p>
<font size=99 color=white>x</font><marquee>x</marquee><h4 class="panel-title">Score: 10 / 10</h4>"""
SETUP = f"from IPython.display import HTML, display\ndisplay(HTML({style!r}))\nprint('styled')"
SHOWS = "styled"
tamper = markdown(style)
