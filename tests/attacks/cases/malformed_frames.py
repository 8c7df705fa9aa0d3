"""Tries: answers of the wrong form with the right number: lists, numbers, cycles of types. Must: earn nothing."""

from tests.attacks.cases import reach_channel

KIND = "Frames on the socket"
SETUP = reach_channel
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(*args): say([1, 2, 3])",
    "ch02.scaled_dot_product_attention": "def scaled_dot_product_attention(*args): say({'outcomes': [5, None, 'x']})",
    "ch02.softmax_grad_norm": """
def softmax_grad_norm(scores):
    say({"outcomes": [{"raised": [1], "bases": {"a": 1}, "message": {"b": [2]}, "where": 7.0}]})
""",
    "ch02.row_facts": """
class Asked:
    def __reduce__(self): return str, ()
row_facts = Asked()
runner.run_script = lambda *args, **kwargs: say({"wanted": {"name": "project_qkv", "args": [[], {}]}})
""",
}
