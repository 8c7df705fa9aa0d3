"""Tries: results that stand for terabytes or ten million items. Must: earn nothing, and say that they are too large."""

KIND = "Forged results"
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(x, w_q, w_k, w_v): return (np.broadcast_to(0.0, (10**6, 10**6)),) * 3",
    "ch02.scaled_dot_product_attention": "def scaled_dot_product_attention(q, k, v): return [[0.0] * 10**6] * 2",
    "ch02.softmax_grad_norm": "def softmax_grad_norm(scores): return 10 ** 5000",
}
SAYS = "value of more than 256 MiB|more than 200,000 items|an int of"
