"""Tries: script, frames, handlers, forms and styles in its markdown cells. Must: run nothing in anybody's page."""

from tests.attacks.cases import markdown

KIND = "Script in pages"
SHOWS = "words of a student"
tamper = markdown("""words of a student
<script>alert(1)</script>

<iframe src="javascript:alert(1)"></iframe><object data="x"></object><embed src="x">

<img src=x onerror=alert(1)> <svg onload=alert(1)><script>alert(1)</script></svg>

<div onclick="alert(1)" style="position:fixed;top:0;left:0;width:100%;height:100%;z-index:9999">cover</div>

<form action="//evil.example"><input autofocus onfocus=alert(1)></form><style>body{display:none}</style>

<meta http-equiv="refresh" content="0;url=//evil.example"><link rel="stylesheet" href="//e/x.css"><base href="//e">

| a | b |
|---|---|
| <script>alert(1)</script> | <b onmouseover=alert(1)>b</b> |

- <details ontoggle=alert(1) open>x</details>

```html
<script>shown as text</script>
```
""")
