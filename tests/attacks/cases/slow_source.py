"""Tries: cells made for the pattern and the parser that look for shortcuts: spaces, deep and long names. Must: end."""

KIND = "Endless and deadly code"
ANSWERS = {
    "ch02.scaled_dot_product_attention": f"""
{" " * 150_000}x
%timeit {" " * 20_000}
{"a" * 30_000}
def scaled_dot_product_attention(q, k, v):
    return q, k
"""
}
SAYS = "not defined|wrong value|should"
SECONDS = 60.0
