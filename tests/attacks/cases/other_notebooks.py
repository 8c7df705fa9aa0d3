"""Tries: solved notebooks of other names and places beside its own. Must: earn nothing."""

KIND = "Files in the submission"


def files(folder):
    import shutil

    from tests.grading.classroom import ROOT

    solved = ROOT / "solutions" / folder.name / f"{folder.name}.ipynb"
    for name in ("ch06_decoder.ipynb", "copy.ipynb", f"inner/{folder.name}.ipynb", f"{folder.name}.ipynb.ipynb",
                 f"{folder.name}.IPYNB", f".{folder.name}.ipynb"):  # fmt: skip
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(solved, folder / name)
