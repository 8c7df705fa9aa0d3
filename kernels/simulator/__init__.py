"""Triton kernels on a machine without a GPU: Triton's interpreter, corrected, made safe and instrumented.

    trace = simulate(kernel, grid)(x, y, n, BLOCK=64)      # as kernel[grid](...), and tells what it moved
    with record() as traces: softmax(x)                    # every launch inside runs here and is traced
    install()                                              # from now on every launch without a GPU runs here

See README.md in this folder for what is right, what is counted and what cannot be seen.
"""

from kernels.simulator.errors import DeviceAssert, OutOfBounds, Race, UnsupportedTriton
from kernels.simulator.launch import install, record, simulate
from kernels.simulator.trace import CacheTraffic, LineTraffic, Request, TensorTraffic, Trace

__all__ = [
    "CacheTraffic",
    "DeviceAssert",
    "LineTraffic",
    "OutOfBounds",
    "Race",
    "Request",
    "TensorTraffic",
    "Trace",
    "UnsupportedTriton",
    "install",
    "record",
    "simulate",
]
