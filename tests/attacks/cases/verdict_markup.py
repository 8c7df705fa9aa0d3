"""Tries: error names, messages and lines with markup, formulas and praise, which the verdict repeats. Must: be text."""

KIND = "Script in pages"
SETUP = r"""
markup = "</code></div></section><script>alert(1)</script><h1>passed</h1> `</code><b>` $\\href{javascript:alert(1)}{x}$"
Evil = type("Oh</b><img src=x onerror=alert(1)>", (Exception,), {})
"""
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(*args): raise Evil(markup)",
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(*args):
    raise Evil(chr(10) * 50 + "passed 5 of 5 points" + chr(0x202E) + markup)  # <script>alert(1)</script>
""",
    "ch02.softmax_grad_norm": "def softmax_grad_norm(scores): return Evil()",
}
SAYS = "Oh</b>"
