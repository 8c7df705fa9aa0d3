// A diagram of boxes and arrows, lit step by step. Arrow keys walk the boxes; only one of them is a tab stop.
import { classes, html, matchLength, set, setText, svg } from "./dom.js";
import { Arrow, labelWidth, placeArrowLabels } from "./flow_arrows.js";
import { Box, summary } from "./flow_box.js";
import { placeColumns, placeRows } from "./flow_grid.js";
import { route } from "./flow_routes.js";
import { Legend } from "./heatmap_legend.js";
import { clamp, format, toNumber } from "./numbers.js";
import { Tip } from "./tip.js";

const WIDTH = 480;
const EDGE = 3; // pixels kept free around all that is drawn
const TIGHT = 84; // pixels a column; below, smaller type

export class Flow {
  constructor(link) {
    this.link = link;
    this.cursor = 0;
    this.pointed = null; // the box, cell or arrow under the mouse or the focus
    this.boxes = [];
    this.arrows = [];
    this.build();
    this.listen();
  }

  build() {
    this.arrowLayer = svg("g");
    this.drawing = svg("svg", { class: "cw-flow-arrows", "aria-hidden": "true" }, this.arrowLayer);
    this.boxLayer = html("div", { role: "group", "aria-label": "Diagram; arrow keys walk the boxes" });
    this.tip = new Tip();
    this.stage = html("div", {}, this.drawing, this.boxLayer, this.tip.element);
    this.said = html("p", { class: "cw-flow-said", role: "status" });
    this.legend = new Legend();
    this.element = html("div", {}, this.stage, this.said, this.legend.element);
  }

  listen() {
    set(this.stage, {
      onclick: (event) => this.onClick(event),
      onkeydown: (event) => this.onKey(event),
      onfocusin: (event) => this.onFocus(event),
      onfocusout: () => this.point(null),
      onpointerover: (event) => this.point(event.target.closest("[data-cell], [data-arrow], [data-box]")),
      onpointerleave: () => this.point(null),
    });
  }

  // ---- what the student does ----

  onClick(event) {
    const index = indexOf(event.target);
    if (index < 0) return;
    const { name } = this.state.boxes[index];
    this.link.set({ selected: this.link.get("selected") === name ? "" : name });
  }

  onKey(event) {
    const next = nextBox(this.rects, this.cursor, event.key);
    if (next === undefined) return;
    event.preventDefault();
    this.boxes[next].element.focus();
  }

  onFocus(event) {
    this.cursor = Math.max(0, indexOf(event.target));
    this.moveTabStop();
    this.point(event.target);
  }

  point(element) {
    if (element === this.pointed) return;
    this.pointed = element;
    this.link.repaint();
  }

  resize() {
    const width = Math.floor(this.element.clientWidth);
    if (!width || (width === this.width && this.laidOut)) return;
    this.width = width;
    this.link.repaint();
  }

  // ---- drawing ----

  paint() {
    this.state = readState(this.link);
    const { boxes, arrows } = this.state;
    matchLength(this.boxes, boxes.length, this.boxLayer, (i) => new Box(i));
    matchLength(this.arrows, arrows.length, this.arrowLayer, (i) => new Arrow(i));
    this.cursor = clamp(this.cursor, 0, Math.max(0, boxes.length - 1));
    this.paintBoxes();
    this.layOut();
    this.arrows.forEach((arrow, i) => arrow.paint(arrows[i], stateOf(arrows[i], this.state)));
    this.moveTabStop();
    this.paintWords();
    this.paintTip();
  }

  paintBoxes() {
    const { boxes, selected, reach } = this.state;
    this.boxes.forEach((part, i) => {
      const [state, leads] = [stateOf(boxes[i], this.state), leadsOf(boxes[i], this.state)];
      part.paint(boxes[i], { state, leads, reach, selected: boxes[i].name === selected });
    });
  }

  /** Place everything anew if what decides the places has changed. */
  layOut() {
    const { boxes, arrows } = this.state;
    const width = this.width ?? WIDTH;
    const key = JSON.stringify([
      width,
      boxes.map((box) => [box.name, box.x, box.y, box.width, box.label, box.shape, box.role, box.values.length > 0]),
      arrows.map(({ source, target, label, kind }) => [source, target, label, kind]),
    ]);
    if (key === this.laidOut || !boxes.length) return;
    this.laidOut = this.element.clientWidth ? key : ""; // out of sight, heights are not known
    const draft = this.arrange(width, { left: EDGE, right: EDGE });
    const out = overflow(draft, width);
    const { rects, routes } = out.left || out.right ? this.arrange(width, out.margin) : draft;
    this.place(rects, routes);
  }

  arrange(width, margin) {
    const { boxes, arrows } = this.state;
    const { rects, column, right } = placeColumns(boxes, width, margin, labelRoom(this.state));
    const upright = this.boxes.some((box, i) => box.bursts(rects[i].width));
    set(this.stage, { class: classes("cw-flow", column < TIGHT && "cw-tight", upright && "cw-upright") });
    const rectOf = new Map(boxes.map(({ name }, i) => [name, rects[i]]));
    const ends = arrows.map(({ source, target, kind }) => ({
      from: rectOf.get(source), to: rectOf.get(target), residual: kind === "residual",
    }));
    placeRows(rects, this.boxes.map((box, i) => box.measure(rects[i].width)), ends);
    return { rects, routes: route(ends, rects), margin, right };
  }

  place(rects, routes) {
    const labels = placeArrowLabels(routes, this.state.arrows.map(({ label }) => label), rects);
    this.arrows.forEach((arrow, i) => arrow.place(routes[i], labels[i]));
    const heights = [...routes.flatMap(({ points }) => points.map(([, y]) => y)), ...labels.flatMap(textEdges)];
    const top = Math.min(...rects.map((rect) => rect.top), ...heights) - EDGE;
    const bottom = Math.max(...rects.map((rect) => rect.bottom), ...heights) + EDGE;
    this.boxes.forEach((box, i) => box.place({ ...rects[i], top: rects[i].top - top }));
    set(this.arrowLayer, { transform: `translate(0 ${-top})` });
    this.stage.style.height = `${bottom - top}px`;
    this.rects = rects;
  }

  paintWords() {
    const { boxes, selected, reach } = this.state;
    const box = boxes.find(({ name }) => name === selected);
    const hint = boxes.some(({ note }) => note) ? "Select a box to read about it." : "";
    setText(this.said, box?.note ? `${box.label}: ${box.note}` : hint);
    set(this.said, { hidden: !hint });
    const scale = { low: -reach, high: reach };
    const wrong = [boxes.map((one) => one.wrong)];
    this.legend.paint(boxes.some(({ values }) => values.length), { scale, signed: true, masked: [], wrong, digits: 2 });
  }

  paintTip() {
    const text = this.pointed?.isConnected ? tipText(this.pointed, this.state) : "";
    if (text) this.tip.showAbove(text, this.pointed.getBoundingClientRect());
    else this.tip.hide();
  }

  moveTabStop() {
    this.boxes.forEach(({ element }, i) => set(element, { tabindex: i === this.cursor ? 0 : -1 }));
  }
}

function indexOf(element) {
  return Number(element.closest("[data-box]")?.dataset.box ?? -1);
}

/** Everything the parts need, read once a paint. */
function readState(link) {
  const boxes = link.get("boxes").map((box) => ({ ...box, values: box.values.map(toNumber) }));
  const sizes = boxes.flatMap(({ values }) => values.filter(Number.isFinite).map(Math.abs));
  return {
    boxes,
    arrows: link.get("arrows"),
    step: link.get("step"),
    selected: link.get("selected"),
    reach: sizes.reduce((most, size) => Math.max(most, size), 0) || 1,
  };
}

function stateOf({ step }, { step: current }) {
  if (current < 0 || step < current) return "";
  return step === current ? "cw-lit" : "cw-later";
}

function labelIn({ boxes }, name) {
  const box = boxes.find((one) => one.name === name);
  return box?.label || name;
}

function leadsOf({ name }, state) {
  return state.arrows
    .filter(({ source }) => source === name)
    .map(({ target, weight }) => labelIn(state, target) + (weight === null ? "" : ` (${format(weight)})`));
}

/** Room between columns for the labels of arrows that go from column to column. */
function labelRoom({ boxes, arrows }) {
  const place = new Map(boxes.map((box) => [box.name, box]));
  const level = arrows.filter(({ source, target }) => place.get(source)?.y === place.get(target)?.y);
  return Math.max(0, ...level.map(({ label }) => label && labelWidth(label) + 22));
}

function textEdges({ y }) {
  return y === undefined ? [] : [y - 12, y + 4];
}

/** How far arrows reach past the drawing's sides, and the margins that would hold them. */
function overflow({ routes, margin }, width) {
  const places = routes.flatMap(({ points }) => points.map(([x]) => x));
  const left = Math.max(0, EDGE - Math.min(EDGE, ...places));
  const right = Math.max(0, Math.max(0, ...places) - (width - EDGE));
  return { left, right, margin: { left: margin.left + left, right: margin.right + right } };
}

/** Left and right walk the boxes as one reads, up and down go to the nearest box there. */
function nextBox(rects, cursor, key) {
  const order = rects.map((_, i) => i).sort((a, b) => rects[a].y - rects[b].y || rects[a].x - rects[b].x);
  const at = order.indexOf(cursor);
  if (key === "ArrowRight") return order[at + 1] ?? cursor;
  if (key === "ArrowLeft") return order[at - 1] ?? cursor;
  if (key === "Home") return order[0];
  if (key === "End") return order.at(-1);
  const down = { ArrowUp: -1, ArrowDown: 1 }[key];
  return down && nearestBox(rects, cursor, down);
}

function nearestBox(rects, cursor, down) {
  const { x, y } = rects[cursor];
  const far = (i) => Math.abs(rects[i].y - y) + 2 * Math.abs(rects[i].x - x);
  const there = rects.map((_, i) => i).filter((i) => (rects[i].y - y) * down > 0);
  return there.reduce((best, i) => (best === cursor || far(i) < far(best) ? i : best), cursor);
}

function tipText({ dataset, parentElement }, state) {
  if (dataset.arrow) return arrowText(state.arrows[dataset.arrow], state);
  if (!dataset.cell) return boxText(state.boxes[dataset.box]);
  const box = state.boxes[indexOf(parentElement)];
  return box && `${box.label}[${dataset.cell}] = ${format(box.values[dataset.cell], 4)}`;
}

function arrowText({ source, target, weight, label }, state) {
  const said = [label, weight === null ? "" : `weight ${format(weight)}`].filter(Boolean).join(", ");
  return `${labelIn(state, source)} \u2192 ${labelIn(state, target)}${said ? `: ${said}` : ""}`;
}

function boxText(box) {
  return box && [box.note, summary(box.values)].filter(Boolean).join("\n");
}
