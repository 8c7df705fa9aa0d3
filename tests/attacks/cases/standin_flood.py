"""Tries: calls its helpers with ever new arguments, so that each run asks again. Must: earn nothing, and say so."""

KIND = "Stand-ins"
LESSON = "ch06_decoder"
ANSWERS = {
    "ch06.decoder_block": """
def decoder_block(x, memory, p):
    import random
    while True:
        try:
            causal_mask(random.randrange(500))
        except BaseException:
            pass
"""
}
SAYS = "helpers too many times|took longer"
