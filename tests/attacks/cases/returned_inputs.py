"""Tries: hands its inputs back, and views of them. Must: earn nothing."""

KIND = "Forged results"
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(x, w_q, w_k, w_v): return x, x[:], x.view()",
    "ch02.scaled_dot_product_attention": "def scaled_dot_product_attention(q, k, v): return v, q",
    "ch02.softmax_grad_norm": "def softmax_grad_norm(scores): return scores",
}
SAYS = "should|wrong value"
