"""Tries: float32, Fortran order, views backwards and read-only arrays as results (honest). Must: keep its points."""

KIND = "Honest but odd"
HONEST = True
SETUP = "import numpy as np\nfrom course.supplied import softmax"
ANSWERS = {
    "ch02.project_qkv": """
def project_qkv(x, w_q, w_k, w_v):
    q = np.asfortranarray(x @ w_q)
    k = (x @ w_k)[::-1][::-1].astype(">f8")
    v = x @ w_v
    v.flags.writeable = False
    return q, k, v
""",
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(q, k, v):
    w = softmax(q @ k.T / np.sqrt(k.shape[-1])).astype(np.float32)
    wide = np.zeros((2 * len(q), 2 * v.shape[1]), np.float32)
    wide[::2, ::2] = w @ v
    return wide[::2, ::2], w
""",
}
