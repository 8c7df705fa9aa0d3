// One box of a diagram: a button that holds a label, a shape and a strip of coloured cells.
import { classes, html, matchLength, set, setText } from "./dom.js";
import { clamp, format } from "./numbers.js";

const MOST_SPOKEN = 6;
const UPRIGHT = 60; // pixels; only in boxes narrower than that, labels may stand upright
const CHARACTER = 6.3; // pixels, in the smallest type

export class Box {
  constructor(index) {
    this.cells = [];
    this.label = html("span", { class: "cw-flow-label" });
    this.shape = html("span", { class: "cw-flow-shape" });
    this.strip = html("span", { class: "cw-flow-strip" });
    const about = { type: "button", tabindex: -1, "data-box": index };
    this.element = html("button", about, this.label, this.shape, this.strip);
  }

  paint(box, { state, selected, reach, leads }) {
    setText(this.label, box.label);
    setText(this.shape, box.shape);
    set(this.shape, { hidden: !box.shape });
    set(this.strip, { hidden: !box.values.length });
    this.longest = longestWord(box.label);
    this.element.style.setProperty("--characters", this.longest + (box.role === "plain" ? 0 : 2));
    this.element.style.setProperty("--shape-characters", box.shape.length);
    set(this.label, { class: classes("cw-flow-label", box.role !== "plain" && `cw-glyph cw-${box.role}`) });
    const looks = [`cw-${box.role}`, state, selected && "cw-selected", box.wrong && "cw-wrong-cell"];
    set(this.element, {
      class: classes("cw-flow-box", ...looks),
      "aria-pressed": String(selected),
      "aria-current": state === "cw-lit" ? "step" : null,
      "aria-label": spoken(box, leads),
    });
    this.paintStrip(box.values, reach);
  }

  paintStrip(values, reach) {
    matchLength(this.cells, values.length, this.strip, (i) => ({ element: html("i", { "data-cell": i }) }));
    set(this.strip, { class: classes("cw-flow-strip", values.length > 12 && "cw-dense") });
    this.cells.forEach(({ element }, i) => {
      const share = Number.isNaN(values[i]) ? 0 : clamp(values[i] / reach, -1, 1);
      element.style.setProperty("--share", Math.abs(share).toFixed(4));
      set(element, { class: classes(share < 0 && "cw-negative", Number.isNaN(values[i]) && "cw-hatched") });
    });
  }

  /** Whether its words would have to break in a box of this width. */
  bursts(width) {
    return width < UPRIGHT && this.longest * CHARACTER + 8 > width;
  }

  /** As wide as told, and as high as what it holds. */
  measure(width) {
    this.element.style.width = `${width}px`;
    this.element.style.height = "";
    return this.element.offsetHeight;
  }

  place({ left, top, height }) {
    Object.assign(this.element.style, { left: `${left}px`, top: `${top}px`, height: `${height}px` });
  }
}

function longestWord(text) {
  return Math.max(1, ...text.split(/[\s-]+/).map((word) => word.length));
}

export function summary(values) {
  if (!values.length) return "";
  if (values.length <= MOST_SPOKEN) return `values ${values.map((value) => format(value)).join(", ")}`;
  const known = values.filter((value) => !Number.isNaN(value));
  const ends = known.length ? ` from ${format(Math.min(...known))} to ${format(Math.max(...known))}` : "";
  return `${values.length} values${ends}`;
}

function spoken({ label, name, shape, values, note, wrong }, leads) {
  const parts = [
    label || name,
    shape && `shape ${shape}`,
    summary(values),
    wrong && "differs from the right result",
    leads.length && `leads to ${leads.join(", ")}`,
    note,
  ];
  return parts.filter(Boolean).join("; ");
}
