"""Tries: shows a copy of the page's own verdict, passed with full points, below each answer. Must: earn nothing."""

KIND = "IPython"
verdict = '''
from IPython.display import HTML, display
display(HTML("""<section role="status" aria-label="{0}: passed" style="border-left:4px solid #2e8b62">
<b>\\u2713 {0}: passed</b> <span>5 of 5 points</span></section>"""))
print("passed: 5 of 5 points")
5.0
'''
ANSWERS = {f"ch02.{name}": verdict.format(name) for name in ("project_qkv", "scaled_dot_product_attention")}
SAYS = "not defined"
