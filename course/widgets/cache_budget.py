"""How much memory the KV cache takes beside the weights, for well-known models up to 70B and 128K tokens (ch08)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ipywidgets as w

from course import plots
from course.widgets.base import Card, Driven, column
from course.widgets.views import Bars, Curves

GB = 1e9
ACCELERATOR = 80  # GB on a large accelerator of 2023


@dataclass(frozen=True)
class Model:
    """A model's public configuration; tests count the parameters on transformers' models of that configuration."""

    name: str
    parameters: int
    layers: int
    heads: int
    kv_heads: int
    d_head: int
    length: int  # the longest text that it was trained for


MODELS = [
    Model("GPT-2 small", 124_439_808, 12, 12, 12, 64, 1024),
    Model("Llama 2 7B", 6_738_415_616, 32, 32, 32, 128, 4096),
    Model("Llama 3.1 8B", 8_030_261_248, 32, 32, 8, 128, 131_072),
    Model("Llama 2 13B", 13_015_864_320, 40, 40, 40, 128, 4096),
    Model("Llama 2 70B", 68_976_648_192, 80, 64, 8, 128, 4096),
    Model("Llama 3.1 70B", 70_553_706_496, 80, 64, 8, 128, 131_072),
]
LENGTHS = [2**i for i in range(9, 18)]
KILO = [n / 1024 for n in LENGTHS]
BATCHES = [1, 2, 4, 8, 16, 32, 64]
NUMBERS = {"16 bits": 2, "8 bits": 1, "32 bits": 4}
SHARING = {"as published": None, "one per query head": "heads", "one for all": 1}


def cache_bytes(layers: int, kv_heads: int, d_head: int, length: int, batch: int = 1, bytes_per_number: int = 2) -> int:
    """The course's own count."""
    return 2 * layers * kv_heads * d_head * length * batch * bytes_per_number


def tokens(n: int) -> str:
    """A length as people say it: 512, 4K, 128K."""
    return f"{n // 1024}K" if n >= 1024 else str(n)


class CacheBudget(Card):
    """The widget; `count` is kv_cache_bytes, or None for the course's own."""

    def __init__(self, count: Callable[..., Any] | None = None):
        self.count = Driven(count, cache_bytes, "kv_cache_bytes")
        wide = w.Layout(width="360px")
        self.model = w.SelectionSlider(
            options=[(m.name, m) for m in MODELS], value=MODELS[1], description="model", continuous_update=True,
            layout=wide,
        )  # fmt: skip
        self.length = w.SelectionSlider(
            options=[(tokens(n), n) for n in LENGTHS], value=4096, description="tokens", continuous_update=True,
            layout=wide,
        )  # fmt: skip
        self.batch = w.SelectionSlider(options=BATCHES, value=8, description="texts", layout=wide)
        self.numbers = w.Dropdown(options=NUMBERS, description="numbers", layout=w.Layout(width="220px"))
        self.sharing = w.Dropdown(options=list(SHARING), description="KV heads", layout=w.Layout(width="270px"))
        self.bars = Bars(role="plain", heading_before="Memory, in GB")
        self.curves = Curves(
            log_x=True, log_y=True, x_label="K tokens in each text (1K = 1024)", y_label="GB",
            title="The cache as texts grow",
            description="Size of the cache over the length of the texts, beside the weights, for three ways of sharing",
        )  # fmt: skip
        controls = [self.model, self.length, self.batch, self.numbers, self.sharing]
        super().__init__("Weights against cache", controls, [self.bars, column([self.curves])])
        for control in controls:
            self.listen(control, "value", lambda _: None)
        self.redraw()

    def arguments(self, length: int | None = None, sharing: str | None = None) -> tuple[int, ...]:
        """What the controls say, as arguments of kv_cache_bytes."""
        m, shared = self.model.value, SHARING[sharing or self.sharing.value]
        heads = m.kv_heads if shared is None else m.heads if shared == "heads" else shared
        return m.layers, heads, m.d_head, length or self.length.value, self.batch.value, self.numbers.value

    def weights(self) -> float:
        """The weights in GB."""
        return self.model.value.parameters * self.numbers.value / GB

    def redraw(self) -> None:
        """Show both sizes, and how the cache grows with the length."""
        drawn = self.count(*self.arguments())
        cache, weights = float(drawn.values[0]) / GB, self.weights()
        scale = max(cache + weights, ACCELERATOR)
        self.bars.show(
            labels=["weights", "KV cache", "both"], wrong=[False, bool(drawn.wrong().any()), False],
            columns=[{"title": "GB", "values": [weights, cache, weights + cache], "vmax": scale, "digits": 1}],
            note=self._in_words(cache, weights), greyed=drawn.source == "course",
        )  # fmt: skip
        self.curves.show(series=self._series(), marker=self.length.value / 1024, greyed=drawn.source == "course")
        self.say(drawn)

    def _in_words(self, cache: float, weights: float) -> str:
        m, length = self.model.value, self.length.value
        _, heads, *_ = self.arguments()
        said = [f"{m.name}: {m.layers} layers, {heads} KV heads of width {m.d_head} ({m.heads} query heads)."]
        said.append(f"The cache takes {100 * cache / weights:.0f} % of what the weights take.")
        fits = "fits into" if cache + weights <= ACCELERATOR else "does not fit into"
        said.append(f"Together that {fits} {ACCELERATOR} GB.")
        if length > m.length:
            said.append(f"(It was trained for {tokens(m.length)} tokens: this is what longer texts would take.)")
        return " ".join(said)

    def _series(self) -> list[dict[str, Any]]:
        """One curve for each way to share heads, and a level one for the weights."""
        roles = {"one per query head": "key", "as published": "attention", "one for all": "value"}
        sizes = {name: [self._gigabytes(n, name) for n in LENGTHS] for name in roles}
        curves = [{"name": name, "role": roles[name], "x": KILO, "y": y} for name, y in sizes.items()]
        level = {"name": "weights", "role": "plain", "x": KILO, "y": [self.weights()] * len(LENGTHS), "dashed": True}
        return [*curves, level]

    def _gigabytes(self, length: int, sharing: str) -> float:
        return float(self.count(*self.arguments(length, sharing)).values[0]) / GB

    def figure(self) -> Any:
        """The curves, as a figure for print."""
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(figsize=(7, 3.6))
        colours = {"key": plots.KEY, "attention": plots.ATTENTION, "value": plots.VALUE, "plain": plots.GREY}
        for one in self._series():
            axes.plot(one["x"], one["y"], label=one["name"], color=colours[one["role"]])
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(KILO, [tokens(n) for n in LENGTHS])
        axes.set(xlabel="tokens in each text", ylabel="GB", title=f"{self.model.value.name}, {self.batch.value} texts")
        axes.legend()
        return figure


def cache_budget(kv_cache_bytes: Callable[..., Any] | None = None) -> CacheBudget:
    """Show the cache beside the weights of well-known models, counted by the function given or the course's own."""
    return CacheBudget(kv_cache_bytes)
