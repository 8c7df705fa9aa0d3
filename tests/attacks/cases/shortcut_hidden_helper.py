"""Tries: a helper that another cell defines by exec. Must: earn nothing for it, and name what may not be used."""

KIND = "Forbidden shortcuts"
HONEST = True
SETUP = '''
exec("""
def shares(s):
    import torch
    return torch.softmax(torch.tensor(s), -1).numpy()
""")
'''
ANSWERS = {
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(q, k, v):
    w = shares(q @ k.T / np.sqrt(k.shape[-1]))
    return w @ v, w
"""
}
EARNS = {"ch02.scaled_dot_product_attention": 0}
SAYS = "may not be used here"
