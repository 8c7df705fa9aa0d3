"""Tries: IPython input transformers that turn every later cell into praise. Must: earn nothing."""

KIND = "IPython"
SETUP = """
def praise(lines): return ["print('passed: 99 of 99 points')"]
shell = get_ipython()
shell.input_transformers_post.append(praise)
shell.input_transformer_manager.cleanup_transforms.append(praise)
"""
SAYS = "not defined"
