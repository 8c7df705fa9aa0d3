"""Live pictures for the lessons. Python computes with the student's own function, the views draw."""

from course.widgets.attention_plane import attention_plane
from course.widgets.cross_attention_map import cross_attention_map
from course.widgets.induction_stripe import induction_stripe
from course.widgets.loss_lab import loss_lab
from course.widgets.mask_lab import mask_lab
from course.widgets.residual_bus import residual_bus
from course.widgets.saturation import softmax_saturation
from course.widgets.schedule_lab import schedule_lab
from course.widgets.valley_lab import valley_lab
from course.widgets.whole_course import whole_course

__all__ = [
    "attention_plane",
    "cross_attention_map",
    "induction_stripe",
    "loss_lab",
    "mask_lab",
    "residual_bus",
    "schedule_lab",
    "softmax_saturation",
    "valley_lab",
    "whole_course",
]
