"""Tries: pictures of another server, which would tell when an instructor reads. Must: load none."""

from tests.attacks.cases import markdown

KIND = "Script in pages"
SETUP = """
from IPython.display import HTML, Image, display
display(HTML('<img src="https://evil.example/seen.png"><video poster="//evil.example/x"></video>'))
display(Image(url="https://evil.example/seen.png"))
"""
tamper = markdown(
    '![x](https://evil.example/seen.png) <img src="//evil.example/seen.png" srcset="//evil.example/2 2x">'
)
