"""Tries: stand-ins whose honest computation takes hours of Python loops. Must: earn nothing, within the time limit."""

KIND = "Stand-ins"
LESSON = "ch06_decoder"
ANSWERS = {
    "ch06.cross_attention": """
def cross_attention(x, memory, w_q, w_k, w_v):
    n = 300
    for i in range(90):
        masked_attention(np.full((n, 1), float(i)), np.ones((n, 1)), np.ones((n, 1)), np.ones((n, n), bool))
""",
    "ch06.decoder_block": """
def decoder_block(x, memory, p):
    big, one = np.ones((90_000, 1)), np.ones((1, 1))
    return cross_attention(big, big, one, one, one)
""",
}
