"""Live pictures for the lessons. Python computes with the student's own function, the views draw."""

from course.widgets.attention_plane import attention_plane
from course.widgets.cache_budget import cache_budget
from course.widgets.cross_attention_map import cross_attention_map
from course.widgets.kv_cache_lab import kv_cache_lab
from course.widgets.loss_lab import loss_lab
from course.widgets.mask_lab import mask_lab
from course.widgets.saturation import softmax_saturation
from course.widgets.schedule_lab import schedule_lab
from course.widgets.valley_lab import valley_lab

__all__ = [
    "attention_plane",
    "cache_budget",
    "cross_attention_map",
    "kv_cache_lab",
    "loss_lab",
    "mask_lab",
    "schedule_lab",
    "softmax_saturation",
    "valley_lab",
]
