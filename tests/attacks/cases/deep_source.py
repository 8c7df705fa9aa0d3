"""Tries: answers whose syntax tree is thousands of levels deep. Must: lose their own points, and be told."""

KIND = "Endless and deadly code"
ANSWERS = {
    "ch02.scaled_dot_product_attention": f"""
def scaled_dot_product_attention(q, k, v):
    return q{".T" * 5_000}, k
""",
    "ch02.project_qkv": f"def project_qkv(*args): return {'-' * 50_000}1",
    "ch02.softmax_grad_norm": f"def softmax_grad_norm(scores): return {'(' * 150}1{')' * 150} + {'1 + ' * 5_000} 1",
}
SAYS = "not defined|wrong value|should|hides"
