"""Tries: a reversed string that is evaluated. Must: earn nothing for it, and name what may not be used."""

KIND = "Forbidden shortcuts"
HONEST = True
ANSWERS = {
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(q, k, v):
    s = q @ k.T / np.sqrt(k.shape[-1])
    w = eval(")(ypmun.)1- ,)s(rosnet.)'hcrot'(__tropmi__(xamtfos.)'hcrot'(__tropmi__"[::-1])
    return w @ v, w
"""
}
EARNS = {"ch02.scaled_dot_product_attention": 0}
SAYS = "may not be used here"
