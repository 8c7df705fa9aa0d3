"""Tries: tensors without storage, sparse and quantised ones, in the place of arrays. Must: earn nothing."""

KIND = "Forged results"
SETUP = "import torch"
ANSWERS = {
    "ch02.project_qkv": """
def project_qkv(x, w_q, w_k, w_v):
    return tuple(torch.empty(10**7, 10**7, device="meta") for _ in range(3))
""",
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(q, k, v):
    return torch.eye(3).to_sparse(), torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.quint8)
""",
    "ch02.softmax_grad_norm": """
def softmax_grad_norm(scores):
    return torch.ones(1, requires_grad=True).expand(10**9)
""",
}
