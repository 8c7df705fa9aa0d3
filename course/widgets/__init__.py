"""Live pictures for the lessons. Python computes with the student's own function, the views draw."""

from course.widgets.attention_plane import attention_plane
from course.widgets.cross_attention_map import cross_attention_map
from course.widgets.dot_product_plane import dot_product_plane
from course.widgets.mask_lab import mask_lab
from course.widgets.saturation import softmax_saturation
from course.widgets.softmax_lab import softmax_lab
from course.widgets.token_attention import token_attention

__all__ = [
    "attention_plane",
    "cross_attention_map",
    "dot_product_plane",
    "mask_lab",
    "softmax_lab",
    "softmax_saturation",
    "token_attention",
]
