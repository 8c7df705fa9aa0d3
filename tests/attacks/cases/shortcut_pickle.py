"""Tries: torch.softmax out of a pickle. Must: earn nothing for it, and name what may not be used."""

KIND = "Forbidden shortcuts"
HONEST = True
SETUP = "import pickle"
ANSWERS = {
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(q, k, v):
    soft, make = (pickle.loads(b"ctor" + b"ch\\n" + name + b"\\n.") for name in (b"softmax", b"tensor"))
    w = soft(make(q @ k.T / np.sqrt(k.shape[-1])), -1).numpy()
    return w @ v, w
"""
}
EARNS = {"ch02.scaled_dot_product_attention": 0}
SAYS = "may not be used here"
