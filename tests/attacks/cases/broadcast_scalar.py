"""Tries: single numbers, which would agree with any shape by broadcasting. Must: earn nothing."""

KIND = "Forged results"
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(x, w_q, w_k, w_v): return 0.0, 0.0, 0.0",
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(q, k, v):
    return np.broadcast_to(v.mean(), (1, 1)), np.ones((1, 1))
""",
}
SAYS = "should be a NumPy array|should have shape"
