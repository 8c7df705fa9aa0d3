// The axes of a line chart: scales, ticks, grid lines and names.
import { set, svg } from "./dom.js";
import { clamp, compact, linearTicks, logTicks } from "./numbers.js";

const RIGHT = 14;
const TOP = 10;
const BELOW = 40;
const CHARACTER = 6.4;

export class Axes {
  constructor() {
    this.element = svg("g");
    this.top = TOP;
  }

  paint({ points, marker, log, labels, width }) {
    this.width = width;
    this.height = Math.round(clamp(width * 0.55, 190, 280));
    this.bottom = this.height - BELOW;
    const xs = points.map(({ x }) => x);
    const marked = Number.isFinite(marker) && (!log.x || marker > 0) ? [marker] : [];
    const rangeX = extent([...xs, ...marked], log.x, 0);
    const rangeY = extent(points.map(({ y }) => y), log.y, 0.05);
    const ticksY = ticks(rangeY, log.y, 5);
    this.left = 30 + Math.max(...ticksY.map((tick) => compact(tick).length), 1) * CHARACTER;
    const ticksX = doublings(xs, log.x) ?? ticks(rangeX, log.x, Math.max(2, Math.floor(width / 80)));
    this.x = scale(rangeX, [this.left, width - RIGHT], log.x);
    this.y = scale(rangeY, [this.bottom, TOP], log.y);
    this.draw(ticksX, ticksY, labels);
  }

  draw(ticksX, ticksY, labels) {
    const text = JSON.stringify([ticksX, ticksY, labels, this.width, this.x(1), this.y(1)]);
    if (text === this.drawn) return;
    this.drawn = text;
    this.element.replaceChildren(
      ...ticksY.flatMap((tick) => this.tickY(tick)),
      ...ticksX.flatMap((tick) => this.tickX(tick)),
      this.line("cw-axis", this.left, this.bottom, this.width - RIGHT, this.bottom),
      ...this.names(labels),
    );
  }

  tickX(tick) {
    const x = this.x(tick);
    const label = svg("text", { class: "cw-tick", x, y: this.bottom + 16, "text-anchor": "middle" }, compact(tick));
    return [this.line("cw-axis", x, this.bottom, x, this.bottom + 4), label];
  }

  tickY(tick) {
    const y = this.y(tick);
    const label = svg("text", { class: "cw-tick", x: this.left - 6, y: y + 3.5, "text-anchor": "end" }, compact(tick));
    return [this.line("cw-grid", this.left, y, this.width - RIGHT, y), label];
  }

  line(look, x1, y1, x2, y2) {
    return svg("line", { class: look, x1, y1, x2, y2 });
  }

  names(labels) {
    const middleX = (this.left + this.width - RIGHT) / 2;
    const middleY = (TOP + this.bottom) / 2;
    const x = svg("text", { class: "cw-axis-name", x: middleX, y: this.height - 5, "text-anchor": "middle" }, labels.x);
    const y = svg("text", { class: "cw-axis-name", "text-anchor": "middle" }, labels.y);
    set(y, { transform: `translate(12 ${middleY}) rotate(-90)` });
    return [x, y];
  }
}

function ticks([low, high], log, count) {
  const powers = log ? logTicks(low, high) : [];
  return powers.length > 1 ? powers : linearTicks(low, high, count);
}

/** Measured at 4, 8, 16, ...: those numbers are the ticks, as long as there are few. */
function doublings(xs, log) {
  const places = [...new Set(xs)].sort((a, b) => a - b);
  const fits = log && places.length > 1 && places.length <= 10 && places.every((x) => Number.isInteger(Math.log2(x)));
  return fits ? places : undefined;
}

/** [low, high] of the values, never empty, widened by a share of itself. */
function extent(values, log, room) {
  if (!values.length) return log ? [0.1, 1] : [0, 1];
  const low = values.reduce((a, b) => Math.min(a, b));
  const high = values.reduce((a, b) => Math.max(a, b));
  if (low === high) return log ? [low / 2, high * 2] : [low - 0.5, high + 0.5];
  if (log) return [low / (high / low) ** room, high * (high / low) ** room];
  const fromZero = low >= 0 && low < high / 4 && room > 0;
  return [fromZero ? 0 : low - (high - low) * room, high + (high - low) * room];
}

function scale([low, high], [from, to], log) {
  const position = log ? Math.log10 : (value) => value;
  const [start, end] = [position(low), position(high)];
  return (value) => from + ((position(value) - start) / (end - start)) * (to - from);
}
