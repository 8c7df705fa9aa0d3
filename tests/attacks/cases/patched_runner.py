"""Tries: the checks' runner, beside which it runs, replaced by one that says passed. Must: earn nothing."""

KIND = "The judge's own code"
SETUP = """
from course.checks import runner
forged = {"value": "passed", "changed": [], "passed": True, "earned": 99, "points": 99}
runner.run_script = lambda script, *args, **kwargs: [forged] * len(script)
runner._run_step = lambda *args: forged
"""
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(*args): pass",
    "ch02.scaled_dot_product_attention": "def scaled_dot_product_attention(*args): pass",
}
SAYS = "should be a tuple"
