"""Live pictures for the lessons. Python computes with the student's own function, the views draw."""

from course.widgets.attention_plane import attention_plane
from course.widgets.cross_attention_map import cross_attention_map
from course.widgets.mask_lab import mask_lab
from course.widgets.offset_clock import offset_clock
from course.widgets.rope_dial import rope_dial
from course.widgets.saturation import softmax_saturation
from course.widgets.sinusoid_map import sinusoid_map

__all__ = [
    "attention_plane",
    "cross_attention_map",
    "mask_lab",
    "offset_clock",
    "rope_dial",
    "sinusoid_map",
    "softmax_saturation",
]
