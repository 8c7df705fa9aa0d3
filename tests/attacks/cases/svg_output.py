"""Tries: SVG with script, handlers, foreign objects and links. Must: run nothing."""

KIND = "Script in pages"
SETUP = '''
from IPython.display import SVG, Image, display
svg = """<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script>
<foreignObject><iframe src="javascript:alert(1)"/></foreignObject><a href="javascript:alert(1)"><text>x</text></a>
<animate attributeName="href" values="javascript:alert(1)"/><use href="data:image/svg+xml,x#x"/></svg>"""
display(SVG(svg))
display({"image/svg+xml": svg, "image/png": svg, "image/jpeg": svg, "image/gif": svg}, raw=True)
print("drawn")
'''
SHOWS = "drawn"
