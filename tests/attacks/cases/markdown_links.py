"""Tries: markdown links, pictures and references to javascript: and data: addresses. Must: keep none of them."""

from tests.attacks.cases import markdown

KIND = "Script in pages"
tamper = markdown("""[one](javascript:alert(1)) [two](JaVaScRiPt:alert(1))
[three](data:text/html,<script>alert(1)</script>)
[four](java&#115;cript:alert(1)) [five](&#x6A;avascript:alert(1)) [six](java\tscript:alert(1)) [seven](vbscript:x)
<javascript:alert(1)> [eight][ref] ![nine](javascript:alert(1))
![ten](x" onerror="alert(1)) [eleven](<javascript:alert(1)>)
[twelve](x "t" onclick=alert(1)) ![thirteen](https://evil.example/seen.png) [fourteen](//evil.example)
![fifteen](attachment:x.png" onerror="alert(1)) [sixteen](%6aavascript:alert(1)) [seventeen](\\x6aavascript:alert(1))

[ref]: javascript:alert(1) "title"
""")
