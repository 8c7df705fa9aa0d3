"""Tries: imports the exercises' references from the autograder's package. Must: not find them."""

KIND = "Secrets"
SETUP = """{{ATTEMPTS}}
import importlib, sys
for name in ("exercises", "exercises.ch02_scaled_dot_product", "grading", "exercise", "submission", "engine", "seeds"):
    attempt(name, lambda: importlib.import_module(f"autograder.{name}"))
print("loaded", [m for m in sys.modules if m.startswith("autograder") and ".untrusted" not in m and m != "autograder"])
"""
ANSWERS = {
    "ch02.softmax_grad_norm": """
def softmax_grad_norm(scores):
    from autograder.exercises.ch02_scaled_dot_product import softmax_grad_norm as definition
    return definition.reference(scores)
"""
}
SAYS = "ModuleNotFoundError"
SHOWS = r"exercises: refused.*loaded \[\]"
