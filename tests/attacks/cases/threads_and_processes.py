"""Tries: threads, process pools, subprocesses and a data loader with workers (honest). Must: keep its points."""

KIND = "Honest but odd"
HONEST = True
SETUP = """
import subprocess, threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import Pool
import torch
def square(x): return x * x
with ThreadPoolExecutor(4) as threads:
    print(sum(threads.map(square, range(10))))
with Pool(2) as pool:
    print(sum(pool.map(square, range(10))))
loader = torch.utils.data.DataLoader(torch.arange(8.0), batch_size=2, num_workers=2)
print(sum(batch.sum().item() for batch in loader))
print(subprocess.run(["echo", "ran"], capture_output=True, text=True).stdout)
thread = threading.Thread(target=print, args=("done in a thread",))
thread.start(), thread.join()
"""
SHOWS = "285 285 28.0 ran done in a thread"
SECONDS = 40.0
