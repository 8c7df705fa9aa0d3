"""Tries: ipykernel's execute request answers ok whatever happens. Must: earn nothing."""

KIND = "IPython"
SETUP = """
try:
    from ipykernel.ipkernel import IPythonKernel
    from ipykernel.kernelbase import Kernel
    async def ok(self, *args, **kwargs):
        return {"status": "ok", "execution_count": 1, "payload": [], "user_expressions": {}}
    IPythonKernel.do_execute = Kernel.do_execute = Kernel.execute_request = ok
except ImportError as error:
    print(error)
print("kernel:", getattr(get_ipython(), "kernel", None))
"""
SHOWS = "kernel: None"
