// Drawing the arrows of a diagram: a line, a head at its end, and a label beside it that covers nothing.
import { classes, set, setText, svg } from "./dom.js";
import { overlap } from "./labels.js";
import { HEAD, outward } from "./flow_routes.js";

const CHARACTER = 6.3; // pixels, at 11 px
const HALF = 7; // half a label's height
const PLACES = [0.5, 0.38, 0.62, 0.26, 0.74, 0.16, 0.84];
const CROSSED = 40; // cost, in square pixels, of a place on a line
const THICKNESS = { flow: 1.6, residual: 2.6, weak: 1.3 };

export function labelWidth(text) {
  return text.length * CHARACTER;
}

export class Arrow {
  constructor(index) {
    this.line = svg("path", { class: "cw-arrow-line" });
    this.head = svg("path", { class: "cw-arrow-head" });
    this.target = svg("path", { class: "cw-arrow-target", "data-arrow": index });
    this.label = svg("text", { class: "cw-arrow-label" });
    this.element = svg("g", {}, this.line, this.head, this.target, this.label);
  }

  paint({ kind, weight, label }, state) {
    const thickness = weight === null ? THICKNESS[kind] : 1 + 5 * weight;
    this.element.style.setProperty("--thickness", thickness);
    this.element.style.setProperty("--opacity", weight === null ? 1 : 0.3 + 0.7 * weight);
    set(this.element, { class: classes("cw-arrow", `cw-arrow-${kind}`, state) });
    setText(this.label, label);
    this.paintHead(2.8 + 0.9 * thickness);
  }

  place({ points, ends }, label) {
    this.way = { points, direction: outward(ends[1]) };
    set(this.line, { d: drawn(points) });
    set(this.target, { d: drawn(points) });
    set(this.label, label);
  }

  paintHead(half) {
    const { points, direction: [u, v] } = this.way;
    const [x, y] = points.at(-1);
    const tip = [x - u * (HEAD - 1), y - v * (HEAD - 1)];
    set(this.head, { d: `${drawn([tip, [x + v * half, y + u * half], [x - v * half, y - u * half]])}z` });
  }
}

function drawn(points) {
  return `M${points.map((point) => point.map((place) => place.toFixed(2))).join("L")}`;
}

/** For each route with a label, where to write it: { x, y, text-anchor }. */
export function placeArrowLabels(routes, labels, rects) {
  const taken = [...rects];
  const lines = routes.flatMap(({ points }) => points);
  return routes.map(({ points }, i) => {
    if (!labels[i]) return {};
    const places = PLACES.flatMap((share, rank) => beside(points, share, labelWidth(labels[i]), rank));
    const costs = places.map((place) => place.cost + covered(place, taken, lines));
    const best = places[costs.indexOf(Math.min(...costs))];
    taken.push(best);
    return { x: (best.left + best.right) / 2, y: best.top + HALF + 4, "text-anchor": "middle" };
  });
}

function covered(place, boxes, lines) {
  const { left, right, top, bottom } = place;
  const crossed = lines.filter(([x, y]) => x > left - 2 && x < right + 2 && y > top && y < bottom).length;
  return boxes.reduce((total, box) => total + overlap(place, box), crossed * CROSSED);
}

/** On both sides of the line at a share of its way: boxes with a cost, which grows away from the middle. */
function beside(points, share, width, rank) {
  const at = Math.round((points.length - 1) * share);
  const [x, y] = points[at];
  const [a, b] = [points[Math.max(0, at - 1)], points[Math.min(points.length - 1, at + 1)]];
  const upright = Math.abs(b[1] - a[1]) > Math.abs(b[0] - a[0]);
  const shifts = upright ? [[width / 2 + 7, 0], [-width / 2 - 7, 0]] : [[0, -HALF - 4], [0, HALF + 4]];
  return shifts.map(([right, down], i) => ({
    left: x + right - width / 2,
    right: x + right + width / 2,
    top: y + down - HALF,
    bottom: y + down + HALF,
    cost: rank * 6 + i * 3,
  }));
}
