"""Tries: cell ids that are doubled, empty, markup or a megabyte long. Must: be graded as if they were not there."""

KIND = "Notebook metadata and cells"
HONEST = True


def raw(content):
    import json

    notebook = json.loads(content)
    odd = ["same", "", '"><img src=x onerror=alert(1)>', "x" * 10**6, 5, None, ["a"], "\ud800", "ch02-why_scale"]
    for i, cell in enumerate(notebook["cells"]):
        cell["id"] = odd[i % len(odd)]
    return json.dumps(notebook).encode()
