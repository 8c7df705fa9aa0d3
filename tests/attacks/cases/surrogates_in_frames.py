"""Tries: half surrogate pairs, NUL and escapes in what the student is told. Must: be graded, and earn nothing."""

from tests.attacks.cases import reach_channel

KIND = "Frames on the socket"
SETUP = reach_channel
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(*args): say({'stopped': 'half \\ud800 NUL \\0 escape \\x1b[31m bell \\a'})",
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(*args):
    bad = "\\udfff\\0\\x1b]0;title\\a\\u202e\\ufffe"
    say({"outcomes": [{"raised": bad, "bases": [bad], "message": bad * 50, "where": bad}]})
""",
    "ch02.softmax_grad_norm": "def softmax_grad_norm(scores): say({'outcomes': [{'missing': '\\ud800\\0'}]})",
    "ch02.row_facts": "row_facts = ['\\ud800', '\\0']",
}
SAYS = {"ch02.project_qkv": "half . NUL"}
