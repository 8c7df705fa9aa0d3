"""Triton kernels, one idea a file; tensors that are not on a GPU are worked on in the simulator. See README.md."""
