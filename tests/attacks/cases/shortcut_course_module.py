"""Tries: torch by way of the course's own modules. Must: earn nothing for it, and name what may not be used."""

KIND = "Forbidden shortcuts"
HONEST = True
SETUP = "from course.checks import wire"
ANSWERS = {
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(q, k, v):
    lib = wire.sys.modules["tor" + "ch"]
    w = lib.softmax(lib.tensor(q @ k.T / np.sqrt(k.shape[-1])), -1).numpy()
    return w @ v, w
"""
}
EARNS = {"ch02.scaled_dot_product_attention": 0}
SAYS = "may not be used here"
