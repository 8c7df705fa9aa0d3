"""Tries: zeroes its inputs before anybody else could compute with them. Must: earn nothing."""

KIND = "Forged results"
ANSWERS = {
    "ch02.project_qkv": """
def project_qkv(x, w_q, w_k, w_v):
    for a in (x, w_q, w_k, w_v):
        a[...] = 0
    return x @ w_q, x @ w_k, x @ w_v
""",
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(q, k, v):
    for a in (q, k, v):
        a[...] = 0
    return q @ k.T @ v, np.full((len(q), len(k)), 1 / len(k))
""",
}
SAYS = "wrong value"
