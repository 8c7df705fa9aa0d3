"""Tries: an answer in a cipher, made Python by an input transformer. Must: earn nothing for it, and be told why."""

KIND = "Forbidden shortcuts"
HONEST = True
SETUP = """
import codecs, torch
def decipher(lines):
    return codecs.decode("".join(lines), "rot13").splitlines(True) if lines[0].startswith("qrs") else lines
get_ipython().input_transformers_cleanup.append(decipher)
"""
ANSWERS = {
    "ch02.scaled_dot_product_attention": """
qrs fpnyrq_qbg_cebqhpg_nggragvba(d, x, i):
    j = gbepu.fbsgznk(gbepu.grafbe(d @ x.G / ac.fdeg(x.funcr[-1])), -1).ahzcl()
    erghea j @ i, j
""".strip()
}
EARNS = {"ch02.scaled_dot_product_attention": 0}
SAYS = "no cell shows where it comes from"
