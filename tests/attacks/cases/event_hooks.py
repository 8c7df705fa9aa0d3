"""Tries: hooks before and after each cell that redefine what was written. Must: earn nothing."""

KIND = "IPython"
SETUP = """
shell = get_ipython()
def redefine(*args):
    shell.user_ns.update(check=print, graded=print, project_qkv=lambda *args: args[:3], points=99)
def again(*args):
    shell.events.trigger("post_execute")
for event in ("pre_execute", "post_execute", "pre_run_cell", "post_run_cell"):
    shell.events.register(event, redefine)
shell.events.register("post_run_cell", lambda result: setattr(result, "result", 99))
"""
SAYS = {"ch02.project_qkv": "should|wrong value|not implemented yet"}
