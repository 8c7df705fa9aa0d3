"""Tries: lists that hold themselves, twice over, and lists nested a hundred thousand deep. Must: earn nothing."""

KIND = "Forged results"
SETUP = """
deep = []
for _ in range(100_000):
    deep = [deep]
loop = []
loop += [loop, loop]
ring = {}
ring["ring"] = [ring, ring, ring]
"""
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(x, w_q, w_k, w_v): return deep",
    "ch02.scaled_dot_product_attention": "def scaled_dot_product_attention(q, k, v): return loop",
    "ch02.softmax_grad_norm": "def softmax_grad_norm(scores): return ring",
}
SAYS = "should|took longer"
