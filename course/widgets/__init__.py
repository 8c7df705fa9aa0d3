"""Live pictures for the lessons. Python computes with the student's own function, the views draw."""

from course.widgets.attention_plane import attention_plane
from course.widgets.cross_attention_map import cross_attention_map
from course.widgets.induction_stripe import induction_stripe
from course.widgets.mask_lab import mask_lab
from course.widgets.residual_bus import residual_bus
from course.widgets.saturation import softmax_saturation
from course.widgets.whole_course import whole_course

__all__ = [
    "attention_plane",
    "cross_attention_map",
    "induction_stripe",
    "mask_lab",
    "residual_bus",
    "softmax_saturation",
    "whole_course",
]
