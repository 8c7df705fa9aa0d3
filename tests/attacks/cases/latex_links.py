"""Tries: formulas with links, styles, classes and macros, in text and in outputs. Must: keep MathJax's safe mode."""

from tests.attacks.cases import markdown

KIND = "Script in pages"
tex = r"""$\href{javascript:alert(1)}{x}$ $$\style{position:fixed;top:0}{\class{score}{\cssId{ch02-why_scale}{y}}}$$
$\require{html}\unicode{x3c}script\unicode{x3e}$ $\text{<img src=x onerror=alert(1)>}$ \(\def\x{\x\x}\x\)
\begin{align}\tag{</script><script>alert(1)</script>}\end{align} $</script><script>alert(1)</script>$"""
SETUP = f"""
from IPython.display import Latex, Math, display
display(Latex({tex!r}))
display(Math({tex!r}))
display({{"text/latex": {tex!r}, "text/plain": {tex!r}}}, raw=True)
print("typeset")
"""
SHOWS = "typeset"
tamper = markdown(tex)
