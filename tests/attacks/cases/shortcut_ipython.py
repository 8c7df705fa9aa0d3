"""Tries: a cell run by the function through IPython. Must: earn nothing for it, and name what may not be used."""

KIND = "Forbidden shortcuts"
HONEST = True
ANSWERS = {
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(q, k, v):
    shell = get_ipython()
    shell.user_ns["s"] = q @ k.T / np.sqrt(k.shape[-1])
    shell.run_cell("import tor" + "ch; w = tor" + "ch.softmax(tor" + "ch.tensor(s), -1).numpy()", silent=True)
    return shell.user_ns["w"] @ v, shell.user_ns["w"]
"""
}
EARNS = {"ch02.scaled_dot_product_attention": 0}
SAYS = "may not be used here"
