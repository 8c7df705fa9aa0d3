"""Tries: folders a hundred deep, with names that climb up again inside. Must: be graded, and told."""

KIND = "Files in the submission"
SAYS = "too deep and was not read"


def files(folder):
    deep = folder.joinpath(*["d"] * 100)
    deep.mkdir(parents=True)
    (deep / "inner.txt").write_text("x")
