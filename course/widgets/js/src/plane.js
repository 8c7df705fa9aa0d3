// A plane with vectors from the origin; draggable ones move by mouse, touch and arrow keys.
import { classes, matchLength, set, setText, svg } from "./dom.js";
import { placeLabels } from "./labels.js";
import { clamp, compact, format, linearTicks } from "./numbers.js";
import { shapePath } from "./shapes.js";

const SIZE = 340;
const CENTRE = SIZE / 2;
const MARGIN = 14;
const REACH = 24; // how near, in pixels of the drawing, a pointer must be to a vector's tip
const STEP = 0.05;
const LEAP = 0.5;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
let planes = 0;

export class Plane {
  constructor(link) {
    this.link = link;
    this.held = null; // { index, x, y } of the vector being moved: wins over late news from Python
    this.active = -1; // hovered, focused or moving
    this.handles = [];
    this.drops = [];
    this.build();
    this.listen();
  }

  build() {
    const id = `cw-plane-${++planes}`;
    this.shade = svg("rect", { class: "cw-shade", x: -SIZE, y: -SIZE, width: 2 * SIZE, height: 2 * SIZE });
    set(this.shade, { fill: `url(#${id}-shade)` });
    this.grid = svg("g");
    this.dropLayer = svg("g");
    this.handleLayer = svg("g");
    this.readout = svg("text", { class: "cw-readout", x: 10, y: 20 });
    const frame = svg("rect", { width: SIZE, height: SIZE, rx: 10 });
    const shadeLayer = svg("g", { transform: `translate(${CENTRE} ${CENTRE})` }, this.shade);
    const defs = svg("defs", {}, shadeGradient(`${id}-shade`), svg("clipPath", { id: `${id}-clip` }, frame));
    const layers = [shadeLayer, this.grid, this.dropLayer, this.handleLayer, this.readout];
    const scene = svg("g", { "clip-path": `url(#${id}-clip)` }, layers);
    this.element = svg("svg", { class: "cw-plane", viewBox: `0 0 ${SIZE} ${SIZE}`, role: "group" }, defs, scene);
    set(this.element, { "aria-label": "Plane; arrow keys move a vector, with Shift in larger steps" });
  }

  listen() {
    set(this.element, {
      onpointerdown: (event) => this.grab(event),
      onpointermove: (event) => this.pointTo(event),
      onpointerup: () => this.release(),
      onpointercancel: () => this.release(),
      onpointerleave: () => this.activate(-1),
      onkeydown: (event) => this.onKey(event),
      onkeyup: () => this.release(),
      onfocusin: (event) => this.onFocus(indexOf(event.target)),
      onfocusout: () => this.activate(-1),
    });
  }

  // ---- what the student does ----

  grab(event) {
    const index = this.nearest(event);
    if (index < 0) return;
    event.preventDefault();
    this.element.setPointerCapture(event.pointerId);
    const { x, y, draggable } = this.vectors()[index];
    this.held = draggable ? { index, x, y } : null;
    this.handles[index].element.focus({ preventScroll: true });
    this.onFocus(index);
  }

  pointTo(event) {
    if (this.held) this.move(this.held.index, ...this.pointIn(event));
    else this.activate(this.nearest(event));
  }

  release() {
    this.held = null;
  }

  onKey(event) {
    const index = indexOf(event.target);
    const direction = ARROWS[event.key];
    const vector = this.vectors()[index];
    if (!direction || !vector?.draggable) return;
    event.preventDefault();
    const step = event.shiftKey ? LEAP : STEP;
    this.move(index, vector.x + direction[0] * step, vector.y + direction[1] * step);
  }

  onFocus(index) {
    this.activate(index);
    if (this.selectable(index) && this.link.get("selected") !== index) this.link.set({ selected: index });
  }

  activate(index) {
    if (index === this.active) return;
    this.active = index;
    this.link.repaint();
  }

  move(index, x, y) {
    const limit = this.link.get("limit");
    const [newX, newY] = [x, y].map((value) => roundToStep(clamp(value, -limit, limit)));
    const old = this.vectors()[index];
    this.held = { index, x: newX, y: newY };
    this.active = index;
    if (old.x !== newX || old.y !== newY) this.link.set({ vectors: this.vectors() });
  }

  selectable(index) {
    const vectors = this.vectors();
    return vectors[index]?.role === "query" || (index >= 0 && !vectors.some(({ role }) => role === "query"));
  }

  // ---- geometry ----

  /** The vectors as they are now: Python's, except the one in the student's hand. */
  vectors() {
    const { index, x, y } = this.held ?? {};
    return this.link.get("vectors").map((vector, i) => (i === index ? { ...vector, x, y } : vector));
  }

  unit() {
    return (CENTRE - MARGIN) / this.link.get("limit");
  }

  toScreen({ x, y }) {
    return [CENTRE + x * this.unit(), CENTRE - y * this.unit()];
  }

  pixelIn(event) {
    const box = this.element.getBoundingClientRect();
    const zoom = SIZE / (box.width || SIZE);
    return [(event.clientX - box.left) * zoom, (event.clientY - box.top) * zoom];
  }

  pointIn(event) {
    const [px, py] = this.pixelIn(event);
    return [(px - CENTRE) / this.unit(), (CENTRE - py) / this.unit()];
  }

  /** Index of the vector whose tip is nearest to the pointer, -1 if none is near. */
  nearest(event) {
    const [px, py] = this.pixelIn(event);
    const distances = this.vectors().map((vector) => {
      const [x, y] = this.toScreen(vector);
      return Math.hypot(x - px, y - py);
    });
    const least = Math.min(...distances);
    return least <= REACH ? distances.indexOf(least) : -1;
  }

  // ---- drawing ----

  paint() {
    const vectors = this.vectors();
    const selected = this.link.get("selected");
    const query = this.link.get("shade") && vectors[selected]?.role === "query" ? vectors[selected] : null;
    this.paintGrid();
    this.paintShade(query);
    this.paintDrops(vectors, query);
    this.paintHandles(vectors, selected);
    this.paintReadout(vectors[this.active]);
  }

  paintGrid() {
    const limit = this.link.get("limit");
    if (limit === this.drawnLimit) return;
    this.drawnLimit = limit;
    this.grid.replaceChildren(...linearTicks(-limit, limit, 6).flatMap((tick) => this.gridLines(tick, limit)));
  }

  gridLines(tick, limit) {
    const look = tick ? "cw-grid" : "cw-axis";
    const [x, y] = this.toScreen({ x: tick, y: tick });
    const lines = [
      svg("line", { class: look, x1: x, y1: 0, x2: x, y2: SIZE }),
      svg("line", { class: look, x1: 0, y1: y, x2: SIZE, y2: y }),
    ];
    if (tick === 0 || Math.abs(tick) >= limit) return lines;
    const below = svg("text", { class: "cw-tick", x, y: CENTRE + 13, "text-anchor": "middle" }, compact(tick));
    const beside = svg("text", { class: "cw-tick", x: CENTRE - 6, y: y + 3.5, "text-anchor": "end" }, compact(tick));
    return [...lines, below, beside];
  }

  paintShade(query) {
    this.shade.style.display = query ? "" : "none";
    if (!query) return;
    const angle = (-Math.atan2(query.y, query.x) * 180) / Math.PI;
    set(this.shade, { transform: `rotate(${angle})` });
  }

  paintDrops(vectors, query) {
    const keys = query ? vectors.map((v, index) => ({ ...v, index })).filter((v) => v.role === "key" && !v.masked) : [];
    matchLength(this.drops, keys.length, this.dropLayer, () => new Drop());
    this.drops.forEach((drop, i) => {
      drop.paint(this.toScreen(keys[i]), this.toScreen(foot(keys[i], query)), keys[i].index === this.active);
    });
  }

  paintHandles(vectors, selected) {
    matchLength(this.handles, vectors.length, this.handleLayer, (i) => new Handle(i));
    const tips = vectors.map((vector) => this.toScreen(vector));
    const labels = placeLabels(tips, vectors.map(({ name }) => name), SIZE);
    this.handles.forEach((handle, i) => {
      handle.paint(vectors[i], tips[i], labels[i], {
        selected: i === selected,
        selectable: this.selectable(i),
        limit: this.link.get("limit"),
      });
    });
  }

  paintReadout(vector) {
    const role = vector && vector.role !== "plain" ? `${vector.role} ` : "";
    setText(this.readout, vector ? `${role}${vector.name} (${format(vector.x)}, ${format(vector.y)})` : "");
    set(this.readout, { class: `cw-readout cw-${vector?.role ?? "plain"}` });
  }
}

function indexOf(element) {
  return Number(element.closest("[data-index]")?.dataset.index ?? -1);
}

function roundToStep(value) {
  return Math.round(value / STEP) / Math.round(1 / STEP);
}

/** Where a key lands when dropped at a right angle onto the query's direction. */
function foot(key, query) {
  const length = Math.hypot(query.x, query.y) || 1;
  const along = (key.x * query.x + key.y * query.y) / length;
  return { x: (along * query.x) / length, y: (along * query.y) / length };
}

function shadeGradient(id) {
  const stops = [[0, 0], [0.5, 0.02], [0.75, 0.26], [1, 0.34]].map(([offset, opacity]) =>
    svg("stop", { offset, "stop-color": "var(--cw-attention)", "stop-opacity": opacity }));
  return svg("linearGradient", { id }, stops);
}

class Drop {
  constructor() {
    this.line = svg("line");
    this.foot = svg("circle", { class: "cw-foot", r: 3 });
    this.element = svg("g", { "aria-hidden": "true" }, this.line, this.foot);
  }

  paint([x1, y1], [x2, y2], hot) {
    set(this.line, { x1, y1, x2, y2, class: classes("cw-drop", hot && "cw-hot") });
    set(this.foot, { cx: x2, cy: y2 });
  }
}

class Handle {
  constructor(index) {
    this.line = svg("line", { x1: CENTRE, y1: CENTRE });
    this.ring = svg("circle", { class: "cw-ring", r: 15 });
    this.shape = svg("path", { class: "cw-shape" });
    this.label = svg("text");
    this.element = svg("g", { "data-index": index }, this.line, this.ring, this.shape, this.label);
  }

  paint(vector, [x, y], label, about) {
    set(this.line, { x2: x, y2: y });
    set(this.ring, { cx: x, cy: y });
    const radius = about.selected ? 9.5 : 7.5;
    set(this.shape, { d: shapePath(vector.role, radius), transform: `translate(${x} ${y})` });
    setText(this.label, vector.name);
    set(this.label, { x: label.x, y: label.y, "text-anchor": label.anchor });
    this.paintLook(vector, about.selected);
    this.paintMeaning(vector, about);
  }

  paintLook({ role, draggable, dim, masked }, selected) {
    const states = [draggable && "cw-draggable", dim && "cw-dim", masked && "cw-masked", selected && "cw-selected"];
    set(this.element, { class: classes("cw-vector", `cw-${role}`, ...states) });
  }

  /** What a screen reader hears: a slider if it can be moved, a button if it can only be selected. */
  paintMeaning(vector, { selected, selectable, limit }) {
    const slider = vector.draggable;
    const button = !slider && selectable;
    const name = vector.role === "plain" ? `vector ${vector.name}` : `${vector.role} of ${vector.name}`;
    const place = `x ${format(vector.x)}, y ${format(vector.y)}${vector.masked ? ", masked" : ""}`;
    set(this.element, {
      role: slider ? "slider" : button ? "button" : "img",
      tabindex: slider || button ? 0 : null,
      "aria-label": slider ? name : `${name}, ${place}`,
      "aria-pressed": button ? String(selected) : null,
      "aria-valuemin": slider ? -limit : null,
      "aria-valuemax": slider ? limit : null,
      "aria-valuenow": slider ? vector.x : null,
      "aria-valuetext": slider ? place : null,
    });
  }
}
