"""Tries: gc and every frame above it, searched for sheets, cases, references. Must: find none, and earn nothing."""

KIND = "The judge's own code"
SETUP = """
import gc, sys
WANTED = {"Case", "Sheet", "Definition", "Question", "Verdict", "PartVerdict", "SandboxedStudent", "Engine"}
def found():
    kinds = sorted({type(x).__name__ for x in gc.get_objects()} & WANTED)
    names, frame = set(), sys._getframe()
    while frame:
        names |= {n for n in frame.f_locals if n in ("expected", "reference", "sheet", "verdict", "tolerance", "seed")}
        frame = frame.f_back
    return f"found {kinds} and {sorted(names)}"
"""
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(*args): raise RuntimeError(found())",
    "ch02.scaled_dot_product_attention": "def scaled_dot_product_attention(*args): raise RuntimeError(found())",
}
SAYS = r"found \[\] and \[\]|hides what is called"
