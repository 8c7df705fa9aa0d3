"""Tries: importlib.import_module with a reversed name. Must: earn nothing for it, and name what may not be used."""

KIND = "Forbidden shortcuts"
HONEST = True
SETUP = "import importlib"
ANSWERS = {
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(q, k, v):
    lib = importlib.import_module("hcrot"[::-1])
    w = lib.softmax(lib.tensor(q @ k.T / np.sqrt(k.shape[-1])), -1).numpy()
    return w @ v, w
"""
}
EARNS = {"ch02.scaled_dot_product_attention": 0}
SAYS = "may not be used here"
