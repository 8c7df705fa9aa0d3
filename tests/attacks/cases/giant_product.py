"""Tries: a matrix product that takes hours. Must: earn nothing, in its time."""

KIND = "Endless and deadly code"
ANSWERS = {
    "ch02.project_qkv": """
def project_qkv(*args):
    a = np.ones((5000, 5000))
    while True:
        a = a @ a
"""
}
SAYS = "took longer|memory"
SECONDS = 30.0
