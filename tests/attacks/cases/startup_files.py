"""Tries: files that Python, IPython, nbgrader, matplotlib and pytest read when they start. Must: earn nothing."""

KIND = "Files in the submission"
evil = "import os; os.environ['STARTED'] = 'yes'; open('{{COURSE}}/started', 'w').write('started')\n"
FILES = dict.fromkeys(
    ["sitecustomize.py", "usercustomize.py", "nbgrader_config.py", "jupyter_config.py", "conftest.py", "setup.py",
     ".ipython/profile_default/startup/00.py", ".ipython/profile_default/ipython_config.py", "ipython_config.py",
     ".pythonrc", ".pdbrc", ".jupyter/nbgrader_config.py", "__init__.py", "__main__.py", "nbconvert_config.py"], evil
) | {"evil.pth": f"import os; {evil}", "matplotlibrc": "backend: module://sitecustomize\n"}  # fmt: skip
SETUP = """
import os, subprocess, sys
here = os.environ.get("STARTED", "no")
there = subprocess.run([sys.executable, "-P", "-c", "print('fine')"], capture_output=True, text=True).stdout
print("started:", here)
"""
SHOWS = "started: no"
