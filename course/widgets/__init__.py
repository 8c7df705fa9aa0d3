"""Live pictures for the lessons. Python computes with the student's own function, the views draw."""

from importlib import import_module
from typing import Any

from course.widgets.attention_plane import attention_plane
from course.widgets.backprop_flow import backprop_flow
from course.widgets.cache_budget import cache_budget
from course.widgets.conveyor_spotlight import conveyor_spotlight
from course.widgets.cross_attention_map import cross_attention_map
from course.widgets.dot_product_plane import dot_product_plane
from course.widgets.encoder_steps import encoder_steps
from course.widgets.gelu_curve import gelu_curve
from course.widgets.head_flow import head_flow
from course.widgets.head_patterns import head_patterns
from course.widgets.loss_lab import loss_lab
from course.widgets.mask_lab import mask_lab
from course.widgets.norm_lab import norm_lab
from course.widgets.offset_clock import offset_clock
from course.widgets.rope_dial import rope_dial
from course.widgets.round_trip import round_trip
from course.widgets.saturation import softmax_saturation
from course.widgets.schedule_lab import schedule_lab
from course.widgets.sequence_gallery import sequence_gallery
from course.widgets.sinusoid_map import sinusoid_map
from course.widgets.softmax_lab import softmax_lab
from course.widgets.split_map import split_map
from course.widgets.table_trainer import table_trainer
from course.widgets.token_attention import token_attention
from course.widgets.training_curves import training_curves
from course.widgets.valley_lab import valley_lab

__all__ = [
    "attention_plane",
    "backprop_flow",
    "batch_cache_lab",
    "cache_budget",
    "conveyor_spotlight",
    "cross_attention_map",
    "dot_product_plane",
    "encoder_steps",
    "error_book",
    "far_dial",
    "gelu_curve",
    "head_flow",
    "head_patterns",
    "induction_stripe",
    "kv_cache_lab",
    "loss_lab",
    "mask_lab",
    "matrix_flow",
    "norm_lab",
    "offset_clock",
    "online_row",
    "patch_lab",
    "product_writer",
    "residual_bus",
    "rope_dial",
    "rotation_dial",
    "round_trip",
    "router_lab",
    "scaling_lab",
    "schedule_lab",
    "sequence_gallery",
    "sinusoid_map",
    "softmax_lab",
    "softmax_saturation",
    "split_map",
    "table_trainer",
    "tile_map",
    "tile_traffic",
    "token_attention",
    "training_curves",
    "valley_lab",
    "whole_course",
]

# These need torch, which takes a second to import: the chapters in NumPy do without.
LATER = {
    "batch_cache_lab": "batch_cache",
    "error_book": "mistakes",
    "far_dial": "beyond",
    "induction_stripe": "stripe",
    "kv_cache_lab": "cache_growth",
    "matrix_flow": "matrix_walk",
    "online_row": "one_pass",
    "patch_lab": "patching",
    "product_writer": "writing",
    "residual_bus": "bus",
    "rotation_dial": "beyond",
    "router_lab": "routing",
    "scaling_lab": "scaling",
    "tile_map": "tiles_seen",
    "tile_traffic": "tile_moves",
    "whole_course": "assembly",
}


def __getattr__(name: str) -> Any:
    """Import the widgets in LATER when a lesson asks for them."""
    if name not in LATER:
        raise AttributeError(f"There is no widget {name!r}. There are: {', '.join(__all__)}.")
    return getattr(import_module(f"course.widgets.{LATER[name]}"), name)
