"""Tries: a picture whose width, alt text and file name are attributes of its own. Must: be a picture and no more."""

KIND = "Script in pages"
SETUP = """
import base64
from IPython.display import display
png = base64.b64encode(bytes.fromhex("89504e470d0a1a0a") + bytes(64)).decode()
for kind in ("image/png", "image/jpeg"):
    evil = {"width": "1 onload=alert(1)", "height": "1 onerror=alert(1) x", "alt": '"><script>alert(1)</script>',
            "unconfined": True}
    display({kind: png}, metadata={kind: evil, "filenames": {kind: "https://evil.example/seen.png"}}, raw=True)
    display({kind: png + '" onerror="alert(1)'}, raw=True)
print("shown")
"""
SHOWS = "shown"
