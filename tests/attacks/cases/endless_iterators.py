"""Tries: generators and sequences that never end. Must: earn nothing, and name the type."""

KIND = "Forged results"
SETUP = """
class Endless(list):
    def __iter__(self): return self
    def __next__(self): return 0.0
    def __len__(self): return 2**62
"""
ANSWERS = {
    "ch02.project_qkv": """
def project_qkv(x, w_q, w_k, w_v):
    while True:
        yield x
""",
    "ch02.scaled_dot_product_attention": "def scaled_dot_product_attention(q, k, v): return Endless()",
    "ch02.softmax_grad_norm": "def softmax_grad_norm(scores): return iter(int, 1)",
}
SAYS = "a generator|an Endless|a callable_iterator"
