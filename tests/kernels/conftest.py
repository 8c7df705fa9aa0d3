"""Triton exists for Linux only; elsewhere there is nothing to test here."""

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("triton") else ["test_*.py", "simulator/*"]
