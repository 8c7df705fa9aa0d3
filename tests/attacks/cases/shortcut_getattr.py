"""Tries: getattr with a name that is put together. Must: earn nothing for it, and name what may not be used."""

KIND = "Forbidden shortcuts"
HONEST = True
SETUP = "import sys"
ANSWERS = {
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(q, k, v):
    lib = getattr(sys, "mod" + "ules")["tor" + "ch"]
    w = getattr(lib, "soft" + "max")(lib.tensor(q @ k.T / np.sqrt(k.shape[-1])), -1).numpy()
    return w @ v, w
"""
}
EARNS = {"ch02.scaled_dot_product_attention": 0}
SAYS = "may not be used here"
