"""Tries: graded cells cut in two, in another order, and made text. Must: earn nothing, and be told."""

KIND = "Notebook metadata and cells"
SAYS = "more than once|was changed"


def tamper(notebook):
    from nbformat import from_dict

    cells = []
    for i, cell in enumerate(notebook.cells):
        if cell.metadata.get("nbgrader", {}).get("grade"):
            half = {**cell, "id": f"half{i}", "source": cell.source[:5]}
            if i % 2:
                half = {k: v for k, v in half.items() if k not in ("outputs", "execution_count")} | {"cell_type": "raw"}
            cells += [from_dict({**cell, "source": cell.source[5:]}), from_dict(half)]
        else:
            cells.append(cell)
    notebook.cells = cells[::-1]
