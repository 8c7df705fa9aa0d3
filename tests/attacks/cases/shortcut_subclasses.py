"""Tries: torch out of the subclasses of object. Must: earn nothing for it, and name what may not be used."""

KIND = "Forbidden shortcuts"
HONEST = True
ANSWERS = {
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(q, k, v):
    loader = [c for c in ().__class__.__base__.__subclasses__() if c.__name__ == "BuiltinImporter"][0]
    lib = loader.load_module.__func__.__globals__["sys"].modules["tor" + "ch"]
    w = lib.softmax(lib.tensor(q @ k.T / np.sqrt(k.shape[-1])), -1).numpy()
    return w @ v, w
"""
}
EARNS = {"ch02.scaled_dot_product_attention": 0}
SAYS = "may not be used here"
