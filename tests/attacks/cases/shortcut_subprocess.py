"""Tries: another Python process that uses torch. Must: earn nothing for it, and name what may not be used."""

KIND = "Forbidden shortcuts"
HONEST = True
SETUP = """
import json, subprocess, sys
PROGRAM = '''
import json, sys, torch
print(json.dumps(torch.softmax(torch.tensor(json.load(sys.stdin), dtype=torch.float64), -1).tolist()))
'''
"""
ANSWERS = {
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(q, k, v):
    scores = json.dumps((q @ k.T / np.sqrt(k.shape[-1])).tolist())
    done = subprocess.run([sys.executable, "-c", PROGRAM], input=scores, text=True, capture_output=True)
    w = np.array(json.loads(done.stdout))
    return w @ v, w
"""
}
EARNS = {"ch02.scaled_dot_product_attention": 0}
SAYS = "may not be used here"
