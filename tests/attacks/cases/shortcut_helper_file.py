"""Tries: a helper module beside the notebook. Must: earn nothing for it, and name what may not be used."""

KIND = "Forbidden shortcuts"
HONEST = True
FILES = {
    "shares.py": "import torch\n\ndef shares(s): return torch.softmax(torch.tensor(s), -1).numpy()\n",
}
SETUP = "from shares import shares"
ANSWERS = {
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(q, k, v):
    w = shares(q @ k.T / np.sqrt(k.shape[-1]))
    return w @ v, w
"""
}
EARNS = {"ch02.scaled_dot_product_attention": 0}
SAYS = "may not be used here"
