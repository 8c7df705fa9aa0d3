"""Live pictures for the lessons. Python computes with the student's own function, the views draw."""

from course.widgets.attention_plane import attention_plane
from course.widgets.cross_attention_map import cross_attention_map
from course.widgets.head_flow import head_flow
from course.widgets.head_patterns import head_patterns
from course.widgets.mask_lab import mask_lab
from course.widgets.saturation import softmax_saturation
from course.widgets.split_map import split_map

__all__ = [
    "attention_plane",
    "cross_attention_map",
    "head_flow",
    "head_patterns",
    "mask_lab",
    "softmax_saturation",
    "split_map",
]
