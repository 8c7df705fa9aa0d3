"""Tries: honest code to be read, another function under its name when it is called. Must: earn it: see security.md."""

KIND = "Known limits"
HONEST = True
SETUP = """
import torch
def attention(q, k, v):
    w = torch.softmax(torch.tensor(q @ k.T / k.shape[-1] ** 0.5), -1).numpy()
    return w @ v, w
shell = get_ipython()
shell.events.register("post_run_cell", lambda _: shell.user_ns.update({"scaled_dot_product_" + "attention": attention}))
"""
ANSWERS = {
    "ch02.scaled_dot_product_attention": "def scaled_dot_product_attention(q, k, v): return q @ k.T @ v, q @ k.T"
}
