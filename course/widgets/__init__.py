"""Live pictures for the lessons. Python computes with the student's own function, the views draw."""

from course.widgets.attention_plane import attention_plane
from course.widgets.conveyor_spotlight import conveyor_spotlight
from course.widgets.cross_attention_map import cross_attention_map
from course.widgets.mask_lab import mask_lab
from course.widgets.round_trip import round_trip
from course.widgets.saturation import softmax_saturation
from course.widgets.sequence_gallery import sequence_gallery

__all__ = [
    "attention_plane",
    "conveyor_spotlight",
    "cross_attention_map",
    "mask_lab",
    "round_trip",
    "sequence_gallery",
    "softmax_saturation",
]
