"""Step through prefill and decode of a left-padded batch: what is computed, what is only read, what it costs (m21)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ipywidgets as w
import numpy as np
import torch

from course import plots
from course.lab import models
from course.lab.batches import PaddedCache, Reader
from course.lab.decoder import Config, Decoder
from course.lab.generation import left_padded
from course.lab.multiplication import END, decode, encode
from course.supplied import m21
from course.widgets.base import Card, Drawn, Driven, Stepper, column
from course.widgets.views import Bars, Formula, Heatmap

REQUESTS = ["12*34=", "56*78=844", "90*17=036+0", "77*66=26"]  # of the laboratory's model; some are half worked out
COUNT = 6  # tokens that each row writes
CHUNKS = {"all at once": None, "4 columns": 4, "1 column": 1}
CALLS, PLACES = "the call that filled it", "its place"
PADDING = "\u00b7"

Both = Callable[[Any, int, int], tuple[Any, Any]]


@dataclass(frozen=True)
class Call:
    """One call of the model: the first slot that it fills, its ids and places (B, T), its mask (B, T, S)."""

    start: int
    ids: torch.Tensor
    places: torch.Tensor
    mask: torch.Tensor

    @property
    def end(self) -> int:
        """The slots that are filled after it."""
        return self.start + self.ids.shape[1]


class Recorder(Reader):
    """A reader that keeps what it was called with."""

    def __init__(self, model: Decoder):
        super().__init__(model)
        self.log: list[Call] = []

    def __call__(self, ids: Any, places: Any, mask: Any, cache: PaddedCache) -> torch.Tensor:
        """As the reader."""
        start = cache.used
        scores = super().__call__(ids, places, mask, cache)
        self.log.append(Call(start, ids.clone(), places.clone(), mask.clone()))
        return scores


def run(model: Decoder, chunk: int | None, both: Both | None, read: Any, write: Any) -> list[Call]:
    """All calls of the model while the requests are read and continued, by these functions or the course's."""
    ids, padding = left_padded(list(encoded()))
    recorder = Recorder(model)
    cache = PaddedCache(recorder, padding, ids.shape[1] + COUNT + 1)
    if both is not None and read is None:
        scores = _read(recorder, ids, cache, chunk, both)
        _write(recorder, scores, cache, both)
    else:
        scores = (read or m21.prefill)(recorder, ids, cache, chunk)
        (write or m21.decode)(recorder, scores, cache, COUNT, END)
    return recorder.log


def encoded() -> list[torch.Tensor]:
    """The requests' ids."""
    return [encode([text])[0] for text in REQUESTS]


def _read(reader: Recorder, ids: torch.Tensor, cache: PaddedCache, chunk: int | None, both: Both) -> torch.Tensor:
    for part in ids.split(chunk or ids.shape[1], 1):
        scores = reader(part, *both(cache.padding.clone(), cache.used, part.shape[1]), cache)
    return scores[:, -1]


def _write(reader: Recorder, scores: torch.Tensor, cache: PaddedCache, both: Both) -> None:
    for _ in range(COUNT - 1):
        scores = reader(scores.argmax(-1)[:, None], *both(cache.padding.clone(), cache.used, 1), cache)[:, -1]


def summary(log: list[Call], number: int) -> tuple[np.ndarray, ...]:
    """After call `number`: token, filling call and place of each slot, (B, S); what the call sees, (B, S, S); its size.

    Token and place are -1 where nothing is. The size is (tokens of this call, of all so far). Of a log with fewer
    calls, the last.
    """
    rows, slots = len(REQUESTS), max(map(len, REQUESTS)) + COUNT - 1
    tokens, filled, places = np.full((rows, slots), -1.0), np.zeros((rows, slots)), np.full((rows, slots), -1.0)
    seen = np.zeros((rows, slots, slots))
    log = log[: number + 1]
    for i, one in enumerate(log):
        at = slice(one.start, min(one.end, slots))
        width = at.stop - at.start
        tokens[:, at], places[:, at], filled[:, at] = one.ids[:, :width], one.places[:, :width], i + 1
    last = log[-1]
    mask = last.mask[:, : slots - last.start, :slots].numpy()
    seen[:, last.start : last.start + mask.shape[1], : mask.shape[2]] = mask
    return tokens, filled, places, seen, np.array([last.ids.numel(), sum(one.ids.numel() for one in log)], float)


def operations(c: Config, computed: int, seen: int) -> int:
    """Floating-point operations to put tokens through all blocks and the head, each comparing with `seen` slots."""
    matrices = c.layers * (2 * c.d_model**2 + 2 * c.d_model * c.keys * c.d_head + 2 * c.d_model * c.d_ff)
    return 2 * computed * (matrices + c.d_model * c.vocab) + 4 * computed * seen * c.layers * c.d_model


def slot_bytes(c: Config) -> int:
    """Bytes of a slot of one row: keys and values of all layers in float32."""
    return 2 * c.layers * c.keys * c.d_head * 4


class BatchCacheLab(Card):
    """The widget; the functions are the student's `places_and_mask`, `prefill` and `decode`. None: the course's."""

    def __init__(self, both: Both | None = None, read: Any = None, write: Any = None, model: Decoder | None = None):
        self.model = model or models.load("lab_two_digits")[0]
        named = "prefill` and `decode" if read else "places_and_mask"
        yours = self._replay(both, read, write) if both or read else None
        self.drawn_by = Driven(yours, self._replay(None, None, None), named)
        self.chunk = w.ToggleButtons(options=list(CHUNKS), description="prefill", style={"button_width": "auto"})
        self.shown = w.ToggleButtons(
            options=[CALLS, PLACES], description="in each slot", style={"button_width": "auto"}
        )
        self.request = w.ToggleButtons(
            options=[(text, i) for i, text in enumerate(REQUESTS)], description="request",
            style={"button_width": "auto"},
        )  # fmt: skip
        self.stepper = Stepper(self._names())
        self.texts = Formula(title="The requests", description="The texts of the requests so far, padding as dots")
        self.slots = Heatmap(signed=False, digits=0, legend=False, row_role="query", column_role="key")
        self.mask = Heatmap(signed=False, digits=0, legend=False, row_role="query", column_role="key", vmin=0, vmax=1)
        self.work = Bars(role="plain", heading_before="Work so far")
        super().__init__(
            "A batch goes through prefill and decode", [self.stepper, self.chunk, self.shown, self.request],
            [self.slots, self.mask, column([self.texts, self.work])],
        )  # fmt: skip
        self.listen(self.chunk, "value", lambda _: self.stepper.set_trait("names", self._names()))
        for control, trait in ((self.shown, "value"), (self.request, "value"), (self.stepper, "step")):
            self.listen(control, trait, lambda _: None)
        self.redraw()

    def _replay(self, both: Both | None, read: Any, write: Any) -> Callable[[int, str], tuple[np.ndarray, ...]]:
        return lambda number, chunk: summary(run(self.model, CHUNKS[chunk], both, read, write), number)

    def _names(self) -> list[str]:
        """What each call of a right run does."""
        self.calls = run(self.model, CHUNKS[self.chunk.value], None, None, None)
        prompts = max(map(len, REQUESTS))
        return [
            f"prefill, {_range('slot', one.start, one.end)}" if one.end <= prompts else f"decode, slot {one.start}"
            for one in self.calls
        ]

    def redraw(self) -> None:
        """Run up to the chosen call and show what it has done."""
        number = self.stepper.step
        drawn = self.drawn_by(number, self.chunk.value)
        tokens, filled, places, seen, work = drawn.values
        self._show_slots(drawn, filled, places)
        self._show_mask(drawn, tokens, seen)
        self._show_texts(tokens)
        self._show_work(number, work, drawn)
        self.say(drawn)

    def _show_slots(self, drawn: Drawn, filled: np.ndarray, places: np.ndarray) -> None:
        padding = self._padding(filled.shape[1])
        by_call = self.shown.value == CALLS
        note = "Hatched: padding, computed like all else, and good for nothing. "
        note += (
            "The number is that of the call that filled the slot, 0: still empty. Full colour: computed in this call; "
            "all others are only read."
            if by_call
            else "The number is the token's place in its own text. Empty slots are hatched, too."
        )
        self.slots.show(
            values=filled if by_call else np.maximum(places, 0), masked=padding if by_call else padding | (places < 0),
            wrong=drawn.wrong(1 if by_call else 2) & ~padding, expected=[], vmin=0,
            vmax=float(max(filled.max(), 1) if by_call else max(places.max(), 1)),
            row_labels=[str(i) for i in range(len(filled))], row_title="request", greyed=drawn.source == "course",
            column_labels=[str(slot) for slot in range(filled.shape[1])], column_title="slot", note=note,
            title=f"The cache after call {self.stepper.step + 1}",
            description="A row for each request, a column for each slot of the cache",
        )  # fmt: skip

    def _show_mask(self, drawn: Drawn, tokens: np.ndarray, seen: np.ndarray) -> None:
        """The mask of the chosen request: rows are the columns that this call computes, as far as they fit."""
        call, row = self.calls[min(self.stepper.step, len(self.calls) - 1)], self.request.value
        queries = slice(call.start, call.end)
        names = self._signs(tokens[row])
        values = seen[row, queries, : call.end]
        self.mask.show(
            values=values, masked=values == 0, wrong=drawn.wrong(3)[row, queries, : call.end], expected=[],
            row_labels=names[queries], column_labels=names[: call.end], column_title="may be read",
            row_title="computed", greyed=drawn.source == "course", title=f"What request {row} sees in this call",
            description=f"{call.end - call.start} tokens are computed, {call.end} slots may be read where not hatched",
            note="The columns are this request's slots; those of earlier calls come from the cache.",
        )  # fmt: skip

    def _signs(self, tokens: np.ndarray) -> list[str]:
        """A row's tokens as signs; an empty slot has none."""
        padding = self._padding(len(tokens))[self.request.value]
        return [PADDING if pad or t < 0 else visible(t) for t, pad in zip(tokens, padding, strict=True)]

    def _padding(self, slots: int) -> np.ndarray:
        longest = max(map(len, REQUESTS))
        return np.array([[slot < longest - len(text) for slot in range(slots)] for text in REQUESTS])

    def _show_texts(self, tokens: np.ndarray) -> None:
        longest, lines = max(map(len, REQUESTS)), []
        for number, (text, row) in enumerate(zip(REQUESTS, tokens, strict=True)):
            read = "".join(visible(t) for t in row[longest - len(text) : longest] if t >= 0)
            said = "".join(visible(t) for t in row[longest:] if t >= 0)
            lines.append([
                {"text": f"request {number}: {PADDING * (longest - len(text))}{read}"},
                {"text": said, "role": "value", "style": "bold"},
            ])  # fmt: skip
        self.texts.show(lines=lines, note="Bold: what the model wrote and has read again.")

    def _show_work(self, number: int, work: np.ndarray, drawn: Drawn) -> None:
        c, rows = self.model.config, len(REQUESTS)
        prompts = max(map(len, REQUESTS))
        calls = self.calls[: number + 1]
        end = calls[-1].end
        cached = sum(operations(c, one.ids.numel(), one.end) for one in calls)
        slots = [min(end, prompts), *(one.end for one in calls if one.start >= prompts)]  # one whole pass for each
        whole = [operations(c, rows * n, n) for n in slots]
        used, waste = slot_bytes(c) * rows * end, slot_bytes(c) * int(self._padding(end)[:, :end].sum())
        self.work.show(
            labels=["with the cache", "without it"],
            columns=[
                {"title": "million operations", "values": [cached / 1e6, sum(whole) / 1e6], "digits": 1},
                {"title": "tokens computed", "values": [work[1], rows * sum(slots)], "digits": 0},
            ],
            wrong=[bool(drawn.wrong(4).any()), False],
            note=f"In the cache: {used:,} bytes, of them {waste:,} padding. This call read "
            f"{slot_bytes(c) * rows * calls[-1].start:,} bytes of earlier calls and computed {int(work[0])} tokens.",
        )  # fmt: skip

    def figure(self) -> Any:
        """The slots as a figure for print."""
        import matplotlib.pyplot as plt

        filled = self.drawn_by(self.stepper.step, self.chunk.value).values[1]
        figure, axes = plt.subplots(figsize=(9, 2.4))
        axes.imshow(np.where(self._padding(filled.shape[1]), np.nan, filled), cmap="Purples", aspect="auto", vmin=0)
        for (row, slot), call in np.ndenumerate(filled):
            sign = PADDING if self._padding(filled.shape[1])[row, slot] else f"{call:.0f}"
            axes.text(slot, row, sign, ha="center", va="center", color="white" if call > filled.max() / 2 else "black")
        axes.set_yticks(range(len(REQUESTS)), REQUESTS, color=plots.QUERY)
        axes.set(title="Which call filled each slot of the cache (0: still empty)", xlabel="slot")
        axes.grid(False)
        return figure


def visible(token: float) -> str:
    """A token as a sign that one can see."""
    return decode(torch.tensor([int(token)])).replace("\n", "\u21b5")


def _range(name: str, start: int, end: int) -> str:
    return f"{name} {start}" if end == start + 1 else f"{name}s {start} to {end - 1}"


def batch_cache_lab(both: Both | None = None, read: Any = None, write: Any = None) -> BatchCacheLab:
    """Show a batch's cache call by call, with the student's `places_and_mask`, or `prefill` and `decode`, if given."""
    return BatchCacheLab(both, read, write)
