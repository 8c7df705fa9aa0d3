"""Tries: results that agree with whatever they are compared with. Must: earn nothing, and name the type."""

KIND = "Forged results"
SETUP = """
class Yes:
    __array_priority__ = 1e9
    shape, dtype, ndim = (1, 1), float, 2
    def __eq__(self, other): return True
    __ne__ = lambda self, other: False
    __lt__ = __le__ = __gt__ = __ge__ = __eq__
    __hash__ = lambda self: 0
    def __bool__(self): return True
    def __getattr__(self, name): return self
    def __call__(self, *args, **kwargs): return self
    def __getitem__(self, key): return self
    def __len__(self): return 2
    def __iter__(self): return iter([self, self])
    def __array_ufunc__(self, *args, **kwargs): return True
    def __array_function__(self, *args, **kwargs): return True
    __sub__ = __rsub__ = __add__ = __abs__ = lambda self, *other: self
    @classmethod
    def __torch_function__(cls, *args, **kwargs): return True
"""
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(x, w_q, w_k, w_v): return Yes(), Yes(), Yes()",
    "ch02.scaled_dot_product_attention": "def scaled_dot_product_attention(q, k, v): return Yes(), Yes()",
    "ch02.softmax_grad_norm": "def softmax_grad_norm(scores): return Yes()",
}
SAYS = "a Yes"
