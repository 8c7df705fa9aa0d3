"""Tries: stand-ins called with texts, objects, NaN and huge numbers, to make the judge fail. Must: earn nothing."""

KIND = "Stand-ins"
LESSON = "ch06_decoder"
ANSWERS = {
    "ch06.cross_attention": """
calls = 0
def cross_attention(x, memory, w_q, w_k, w_v):
    global calls
    calls += 1
    odd = ["__import__('os')", object(), float("nan"), 10**300, -1, np.full((2, 2), np.nan), [[[]]], {"a": "\\ud800"}]
    return masked_attention(*(odd[(calls + i) % len(odd)] for i in range(4)))
""",
    "ch06.decoder_block": """
def decoder_block(x, memory, p):
    return causal_mask(n=float("inf"), **{"\\ud800": 1, "<script>": 2})
""",
}
