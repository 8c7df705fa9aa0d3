"""Tries: headings, fields and names that formgrader takes for its own. Must: leave each of those there once."""

from tests.attacks.cases import markdown

KIND = "Script in pages"
taken = """# ch02-project_qkv

<input class="score tabbable" id="ch02-scaled_dot_product_attention" value="5"><a name="ch02-why_scale"></a>
<textarea id="ch02-project_qkv-code-comment" class="comment"></textarea><form id="notebook"><input name="cells"></form>
<div class="nbgrader_cell"><div class="panel-heading"><button class="btn full-credit">Full credit</button></div></div>

# statusmessage

## notebook
"""
SETUP = f"from IPython.display import HTML, display\ndisplay(HTML({taken!r}))"
tamper = markdown(taken)
