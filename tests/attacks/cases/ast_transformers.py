"""Tries: an AST transformer that removes every check and assertion of later cells. Must: earn nothing."""

KIND = "IPython"
SETUP = """
import ast
class Eraser(ast.NodeTransformer):
    def visit_Module(self, node):
        node.body = []
        return node
get_ipython().ast_transformers.append(Eraser())
"""
SAYS = "not defined"
