"""Tries: reads and runs another student's submission. Must: not find it."""

KIND = "Secrets"
SETUP = """{{ATTEMPTS}}
import glob, json, os
attempt("read", lambda: open("{{OTHER}}/ch02_scaled_dot_product.ipynb").read(), lambda: os.listdir("{{OTHER}}"))
places = ["/home", "/root", "/srv", "/opt", "/var", "/tmp", "/mnt", "/scratch", os.path.dirname("{{COURSE}}")]
for path in [p for place in places for p in glob.glob(place + "/**/*.ipynb", recursive=True)]:
    for cell in json.load(open(path))["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]))
print("looked everywhere")
"""
SHOWS = "read: refused.*read: refused.*looked everywhere"
