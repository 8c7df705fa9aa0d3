"""Tries: stand-ins called with small arrays whose product needs gigabytes. Must: earn nothing, and cost no memory."""

KIND = "Stand-ins"
LESSON = "ch06_decoder"
ANSWERS = {
    "ch06.decoder_block": """
def decoder_block(x, memory, p):
    big = np.ones((15_000, 1))
    return cross_attention(big, big, big.T, big.T, big.T)
"""
}
