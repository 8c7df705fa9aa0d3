"""Tries: script, frames, handlers and links in an HTML output. Must: be shown as text or not at all."""

KIND = "Script in pages"
SETUP = '''
from IPython.display import HTML, display
display(HTML("""
<p>harmless words</p>
<script>alert(1)</script><SCRIPT SRC=//evil.example/x.js></SCRIPT><scr<script>ipt>alert(1)</scr</script>ipt>
<iframe srcdoc="<script>alert(1)</script>"></iframe><object data="javascript:alert(1)"></object><embed src="//evil">
<img src=x onerror=alert(1)><b onmouseover="alert(1)">b</b><a href="javascript:alert(1)">a</a>
<a href="java&#10;script:alert(1)">a</a><a href="data:text/html,<script>alert(1)</script>">a</a>
<form action="//evil"><input autofocus onfocus=alert(1)><button formaction=javascript:alert(1)>ok</button></form>
<meta http-equiv="refresh" content="0;url=//evil.example"><base href="//evil"><link rel=stylesheet href="//evil">
<svg/onload=alert(1)><svg><script>alert(1)</script></svg><math><mi xlink:href="javascript:alert(1)">x</mi></math>
<details open ontoggle=alert(1)>d</details><video><source onerror=alert(1)></video><body onload=alert(1)>
<table background="javascript:alert(1)"><tr><td style="background:url(//evil.example)">t</td></tr></table>
<template><script>alert(1)</script></template><noscript><p title="</noscript><img src=x onerror=alert(1)>">
"""))
'''
SHOWS = "harmless words"
