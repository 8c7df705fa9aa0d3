"""Generate a text token by token and see the KV cache grow (ch08)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import numpy as np

from course import plots
from course.widgets.base import Card, Drawn, Driven, button
from course.widgets.views import Bars, Formula, Heatmap

if TYPE_CHECKING:
    from course.trained import Trained

PROMPTS = ["Shall I ", "My love ", "The sun "]
CAPACITY = 20  # tokens; as many columns as fit on a narrow page
SHOWN = 8  # numbers of a key: all of them would make the picture tall
ALL, KEYS = "all layers", "keys of one head"


def works(make_cache: Any) -> bool:
    """Whether a student's cache can be used: two tokens go in, two come out."""
    import torch

    try:
        cache = make_cache(1, 2, 3)
        new = torch.arange(6.0).reshape(2, 1, 3)
        found = [cache.append(0, new + i, new - i) for i in range(2)][-1]
        return [t.tolist() for t in found] == [torch.cat(two, 1).tolist() for two in ([new, new + 1], [new, new - 1])]
    except Exception:  # whatever a student's class does, the course's own will do
        return False


def replay(decode_step: Callable[..., Any], make_cache: Any, model: Trained) -> Callable[[list[int]], tuple]:
    """A function that reads a text from its first token on: ids -> (logits, keys, values).

    Shapes (V,) and twice (layers, heads, t, d_head). So each picture is that of a whole text, also of a wrong function.
    """
    import torch

    layers, width = len(model.p["blocks"]), model.p["embed"].shape[1]

    def read(ids: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        with torch.no_grad():
            cache = make_cache(layers, model.heads, width // model.heads)
            logits = [decode_step(token, model.p, model.heads, cache) for token in ids][-1]
            return tuple(t.numpy() for t in (logits, torch.stack(list(cache.keys)), torch.stack(list(cache.values))))

    return read


class KVCacheLab(Card):
    """The widget: `model` writes with `decode_step` and the cache class given; None: the course's own."""

    def __init__(self, model: Trained, decode_step: Callable[..., Any] | None = None, cache: Any = None):
        from course.supplied import ch08  # which needs torch: only this lesson should wait for it

        self.model, self.rng = model, np.random.default_rng(8)
        own_cache = cache is not None and works(cache)
        self.spare = cache is not None and not own_cache and decode_step is not None
        yours = decode_step and replay(decode_step, cache if own_cache else ch08.KVCache, model)
        self.read = Driven(yours, replay(ch08.decode_step, ch08.KVCache, model), "decode_step")
        self.prompt = w.ToggleButtons(options=PROMPTS, description="prompt", style={"button_width": "auto"})
        self.shown = w.ToggleButtons(options=[ALL, KEYS], description="show", style={"button_width": "auto"})
        self.next = button("Generate token", self._press)
        self.next.button_style = "primary"
        again = button("Start over", self._restart)
        self.text = Formula(title="The text", description="The text so far: the prompt, then what was generated")
        self.memory = Heatmap(signed=False, digits=0, legend=False, column_title="tokens read", column_role="key")
        self.candidates = Bars(role="plain", heading_before="What may come next")
        self.work = Bars(role="plain", heading_before="Tokens put through the model so far")
        controls = [self.prompt, self.next, again, self.shown]
        views = [self.text, self.memory, self.candidates, self.work]
        super().__init__("The cache grows with the text", controls, views)
        self.listen(self.prompt, "value", lambda _: self._begin())
        self.listen(self.shown, "value", lambda _: None)
        self._restart()

    def _begin(self) -> None:
        self.ids = self.model.encode(self.prompt.value)[0].tolist()
        self.prompted = len(self.ids)

    def _restart(self) -> None:
        self._begin()
        self.redraw()

    def _press(self) -> None:
        """Choose the next token by its probability, as the drawn logits say, and read it."""
        self.ids.append(int(self.rng.choice(len(self.probabilities), p=self.probabilities)))
        self.redraw()

    def redraw(self) -> None:
        """Read the text and show what is in the cache, what it takes, and what may come next."""
        drawn = self.read(list(self.ids))
        logits, keys, values = drawn.values
        self.probabilities = probabilities(logits if np.isfinite(logits).all() else drawn.expected[0])
        greyed = drawn.source == "course"
        self.next.disabled = len(self.ids) >= CAPACITY
        self._show_text(keys.nbytes + values.nbytes)
        self._show_memory(drawn)
        best = np.argsort(-self.probabilities)[:5]
        names = [visible(self.model.vocabulary[i]) for i in best]
        self.candidates.show(
            labels=names, columns=[{"title": "probability", "values": self.probabilities[best], "vmax": 1.0}],
            greyed=greyed,
        )  # fmt: skip
        t = len(self.ids)
        everything = CAPACITY * (CAPACITY + 1) / 2
        counts = {"title": "tokens", "values": [t, t * (t + 1) // 2], "vmax": everything, "digits": 0}
        self.work.show(labels=["with the cache", "without it"], columns=[counts])
        self.say(drawn)

    def say(self, drawn: Drawn) -> None:
        """As every card, and whose cache it is if it is not the student's."""
        note = " The cache is the course's: your `KVCache` is not right yet." if self.spare else ""
        super().say(Drawn(drawn.values, drawn.source, drawn.message + note, drawn.expected))

    def _show_text(self, size: int) -> None:
        prompt, written = (self.model.decode(ids) for ids in (self.ids[: self.prompted], self.ids[self.prompted :]))
        heads, width = self.model.heads, self.model.p["embed"].shape[1] // self.model.heads
        factors = ["2", f"{len(self.model.p['blocks'])} layers", f"{heads} heads", f"width {width}"]
        factors += [f"{len(self.ids)} tokens", "4 bytes"]
        self.text.show(lines=[
            [{"text": visible(prompt)}, {"text": visible(written), "role": "value", "style": "bold"}],
            [{"text": " \u00d7 ".join(factors) + f" = {size:,} bytes in the cache"}],
        ])  # fmt: skip

    def _show_memory(self, drawn: Drawn) -> None:
        """One column for each token, filled up to the text's length."""
        filled, wrong = np.zeros((0, 0)), np.zeros((0, 0), bool)
        if self.shown.value == ALL:
            filled = _norms(drawn.values[1:])
            wrong = ~np.isclose(filled, _norms(drawn.expected[1:]), 1e-4, 1e-5)
            labels = [f"layer {i} {name}" for i in range(len(filled) // 2) for name in ("K", "V")]
            note = "Each cell is one vector for all heads; the number is its length. Old columns never change."
        else:
            filled, wrong = drawn.values[1][0, 0, :, :SHOWN].T, drawn.wrong(1)[0, 0, :, :SHOWN].T
            labels = [f"number {i}" for i in range(len(filled))]
            note = f"Each column is one key: its first {SHOWN} numbers in head 0 of layer 0. Old columns never change."
        pad = ((0, 0), (0, CAPACITY - filled.shape[1]))
        names = [visible(self.model.vocabulary[i]) for i in self.ids] + ["\u00b7"] * pad[1][1]
        self.memory.show(
            values=np.pad(filled, pad), masked=np.pad(np.zeros(filled.shape, bool), pad, constant_values=True),
            wrong=np.pad(wrong, pad), expected=[], row_labels=labels, column_labels=names, note=note,
            signed=self.shown.value == KEYS, digits=0 if self.shown.value == ALL else 1,
            greyed=drawn.source == "course", title=f"The cache after {len(self.ids)} tokens",
            description=f"The cache holds {filled.shape[1]} tokens; hatched columns are empty",
        )  # fmt: skip

    def figure(self) -> Any:
        """The cache as it stands, as a figure for print."""
        import matplotlib.pyplot as plt

        drawn = self.read(list(self.ids))
        norms = _norms(drawn.values[1:])
        shown = np.full((len(norms), CAPACITY), np.nan)
        shown[:, : norms.shape[1]] = norms
        figure, axes = plt.subplots(figsize=(9, 2.6))
        image = axes.imshow(shown, cmap="Purples", aspect="auto", vmin=0)
        axes.set_yticks(range(len(norms)), [f"layer {i} {x}" for i in range(len(norms) // 2) for x in ("K", "V")])
        axes.set_xticks(range(len(self.ids)), [visible(self.model.vocabulary[i]) for i in self.ids], color=plots.KEY)
        axes.set(title=f"The cache after {len(self.ids)} tokens", xlabel="tokens read")
        axes.grid(False)
        figure.colorbar(image, ax=axes, label="length of the vector")
        return figure


def probabilities(logits: np.ndarray, temperature: float = 0.7) -> np.ndarray:
    """Softmax of the logits, (V,), a little sharper than the model's own: fewer odd letters."""
    powers = np.exp((logits.astype(float) - logits.max()) / temperature)
    return powers / powers.sum()


def _norms(contents: tuple[np.ndarray, ...]) -> np.ndarray:
    """Keys and values, (layers, heads, t, d_head) each -> the lengths of their vectors, (2 layers, t)."""
    both = np.stack([np.sqrt((one**2).sum(axis=(1, 3))) for one in contents], axis=1)
    return both.reshape(-1, both.shape[-1])


def visible(text: str) -> str:
    """Spaces and line ends as signs that one can see."""
    return text.replace(" ", "\u2423").replace("\n", "\u21b5")


def kv_cache_lab(model: Trained, decode_step: Callable[..., Any] | None = None, cache: Any = None) -> KVCacheLab:
    """Show how the cache grows while `model` writes, with the functions given or the course's own."""
    return KVCacheLab(model, decode_step, cache)
