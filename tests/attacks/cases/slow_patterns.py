"""Tries: outputs made for the grader's regular expressions: spaces, escapes, almost base64. Must: end in time."""

KIND = "Script in pages"
SETUP = """
from IPython.display import display
display({"image/png": "iVBOR" + " " * 1_500_000 + "!"}, raw=True)
display({"image/jpeg": "/9j/" + "=" * 400_000 + "!", "text/plain": "x"}, raw=True)
print("\\x1b[" * 30_000)
print("\\x1b[1;" * 20_000 + "m")
print("-" * 90_000 + "!")
print("shown")
"""
SHOWS = "shown"
