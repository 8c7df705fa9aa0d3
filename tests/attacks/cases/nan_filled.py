"""Tries: results full of NaN and infinity, from which any distance is NaN. Must: earn nothing, and say NaN."""

KIND = "Forged results"
ANSWERS = {
    "ch02.project_qkv": """
def project_qkv(x, w_q, w_k, w_v):
    return tuple(np.full((len(x), w.shape[1]), np.nan) for w in (w_q, w_k, w_v))
""",
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(q, k, v):
    return np.full((len(q), v.shape[1]), np.inf), np.full((len(q), len(k)), -np.inf)
""",
    "ch02.softmax_grad_norm": "def softmax_grad_norm(scores): return float('nan')",
}
SAYS = "NaN or infinite"
