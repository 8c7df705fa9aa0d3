"""Tries: a string that is executed. Must: earn nothing for it, and name what may not be used."""

KIND = "Forbidden shortcuts"
HONEST = True
ANSWERS = {
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(q, k, v):
    names = {"s": q @ k.T / np.sqrt(k.shape[-1])}
    exec("import tor" "ch; w = tor" "ch.softmax(tor" "ch.tensor(s), -1).numpy()", names)
    w = names["w"]
    return w @ v, w
"""
}
EARNS = {"ch02.scaled_dot_product_attention": 0}
SAYS = "may not be used here"
