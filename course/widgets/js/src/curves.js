// A small line chart. Moving over it, or arrow keys when it has the focus, reads the values off.
import { Axes } from "./axes.js";
import { classes, html, matchLength, set, setText, svg } from "./dom.js";
import { clamp, compact, toNumber } from "./numbers.js";
import { shapePath } from "./shapes.js";
import { Tip } from "./tip.js";

const PALETTE = ["query", "key", "value", "attention"];
const STEPS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 };
const WIDTH = 480;

export class Curves {
  constructor(link) {
    this.link = link;
    this.at = -1; // index into this.stops of the x that is being read off
    this.lines = [];
    this.entries = [];
    this.build();
    this.listen();
  }

  build() {
    this.axes = new Axes();
    this.lineLayer = svg("g");
    this.marker = svg("line", { class: "cw-marker" });
    this.cursor = svg("line", { class: "cw-cursor" });
    const layers = [this.axes.element, this.marker, this.cursor, this.lineLayer];
    this.drawing = svg("svg", { class: "cw-chart", "aria-hidden": "true" }, layers);
    this.reader = html("div", { class: "cw-reader", role: "slider", tabindex: 0 }, this.drawing);
    this.legend = html("ul", { class: "cw-curve-legend" });
    this.tip = new Tip();
    this.element = html("div", { class: "cw-curves" }, this.legend, this.reader, this.tip.element);
  }

  listen() {
    set(this.reader, {
      onpointermove: (event) => this.read(this.nearest(event)),
      onpointerleave: () => this.read(-1),
      onkeydown: (event) => this.onKey(event),
      onfocusout: () => this.read(-1),
    });
  }

  // ---- what the student does ----

  onKey(event) {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    this.read(clamp(this.at + step, 0, this.stops.length - 1));
  }

  read(stop) {
    if (stop === this.at) return;
    this.at = stop;
    this.link.repaint();
  }

  nearest(event) {
    const x = event.clientX - this.drawing.getBoundingClientRect().left;
    const gaps = this.stops.map((stop) => Math.abs(this.axes.x(stop) - x));
    return gaps.indexOf(Math.min(...gaps));
  }

  resize() {
    const width = Math.round(this.reader.clientWidth);
    if (width && width !== this.width) {
      this.width = width;
      this.link.repaint();
    }
  }

  // ---- drawing ----

  paint() {
    const log = { x: this.link.get("log_x"), y: this.link.get("log_y") };
    const series = readSeries(this.link.get("series"), log);
    const marker = this.link.get("marker");
    this.stops = [...new Set(series.flatMap(({ points }) => points.map(({ x }) => x)))].sort((a, b) => a - b);
    this.at = Math.min(this.at, this.stops.length - 1);
    const points = series.flatMap((one) => one.points);
    const labels = { x: this.link.get("x_label"), y: this.link.get("y_label") };
    this.axes.paint({ points, marker, log, labels, width: this.width ?? WIDTH });
    set(this.drawing, { width: this.axes.width, height: this.axes.height });
    matchLength(this.lines, series.length, this.lineLayer, () => new Line());
    this.lines.forEach((line, i) => line.paint(series[i], this.axes, this.stops[this.at]));
    matchLength(this.entries, series.length, this.legend, () => new Entry());
    this.entries.forEach((entry, i) => entry.paint(series[i]));
    set(this.legend, { hidden: !series.length });
    this.paintUpright(this.marker, marker);
    this.paintReading(series);
  }

  paintUpright(line, x) {
    const shown = x !== null && x !== undefined && Number.isFinite(this.axes.x(x));
    line.style.display = shown ? "" : "none";
    if (!shown) return;
    const place = this.axes.x(x);
    set(line, { x1: place, x2: place, y1: this.axes.top, y2: this.axes.bottom });
  }

  paintReading(series) {
    const stop = this.stops[this.at];
    this.paintUpright(this.cursor, stop);
    const text = stop === undefined ? "" : readingText(series, stop, this.link.get("x_label"));
    set(this.reader, {
      "aria-label": `${this.link.get("description") || this.link.get("title") || "chart"}; arrow keys read values`,
      "aria-valuemin": 0,
      "aria-valuemax": Math.max(0, this.stops.length - 1),
      "aria-valuenow": Math.max(0, this.at),
      "aria-valuetext": text.replaceAll("\n", ", ") || "no point chosen",
    });
    if (!text) this.tip.hide();
    else this.tip.showBeside(text, this.boxAt(stop));
  }

  boxAt(stop) {
    const { left, top } = this.drawing.getBoundingClientRect();
    const x = left + this.axes.x(stop);
    return { left: x, right: x, top: top + this.axes.top, bottom: top + this.axes.bottom };
  }
}

function readingText(series, stop, label) {
  const lines = series.flatMap(({ name, points }) => {
    const point = nearestPoint(points, stop);
    const where = point && point.x !== stop ? ` (at ${compact(point.x)})` : "";
    return point ? [`${name} ${compact(point.y)}${where}`] : [];
  });
  return [`${label || "x"} ${compact(stop)}`, ...lines].join("\n");
}

/** The measured point nearest to x, if x lies within the series; on a level stretch, the point at x itself. */
function nearestPoint(points, x) {
  const before = points.findLast((point) => point.x <= x);
  const after = points.find((point) => point.x >= x);
  if (!before || !after) return undefined;
  if (before.y === after.y) return { x, y: before.y };
  return x - before.x <= after.x - x ? before : after;
}

function readSeries(series, log) {
  let unnamed = 0;
  return series.map(({ name, x, y, role, dashed }) => {
    const numbers = x.map((value, i) => ({ x: toNumber(value), y: toNumber(y[i]) }));
    const drawable = (point) =>
      Number.isFinite(point.x) && Number.isFinite(point.y) && !(log.x && point.x <= 0) && !(log.y && point.y <= 0);
    const look = role || PALETTE[unnamed++] || "plain";
    const all = numbers.map((point) => (drawable(point) ? point : null));
    return { name, dashed, role: look, all, points: all.filter(Boolean) };
  });
}

class Line {
  constructor() {
    this.path = svg("path", { class: "cw-curve" });
    this.end = svg("path", { class: "cw-curve-end" });
    this.dot = svg("path", { class: "cw-curve-end" });
    this.element = svg("g", {}, this.path, this.end, this.dot);
  }

  paint({ all, points, role, dashed }, axes, stop) {
    set(this.element, { class: `cw-${role}` });
    set(this.path, { d: pathThrough(all, axes), class: classes("cw-curve", dashed && "cw-dashed") });
    paintMark(this.end, points.at(-1), role, axes);
    paintMark(this.dot, nearestPoint(points, stop), role, axes);
  }
}

function paintMark(mark, point, role, axes) {
  mark.style.display = point ? "" : "none";
  if (point) set(mark, { d: shapePath(role, 4.5), transform: `translate(${axes.x(point.x)} ${axes.y(point.y)})` });
}

/** A line that breaks where a value is missing. */
function pathThrough(points, axes) {
  let pen = "M";
  return points
    .map((point) => {
      const command = point ? `${pen}${axes.x(point.x).toFixed(1)},${axes.y(point.y).toFixed(1)}` : "";
      pen = point ? "L" : "M";
      return command;
    })
    .join("");
}

class Entry {
  constructor() {
    this.line = svg("line", { x1: 1, y1: 7, x2: 27, y2: 7 });
    this.mark = svg("path", { class: "cw-curve-end", transform: "translate(14 7)" });
    this.sample = svg("svg", { width: 28, height: 14, "aria-hidden": "true" }, this.line, this.mark);
    this.name = html("span");
    this.element = html("li", {}, this.sample, this.name);
  }

  paint({ name, role, dashed }) {
    setText(this.name, name);
    set(this.sample, { class: `cw-${role}` });
    set(this.line, { class: classes("cw-curve", dashed && "cw-dashed") });
    set(this.mark, { d: shapePath(role, 4.5) });
  }
}
