// Where to write the names of points so that they cover neither each other nor the points.
import { clamp } from "./numbers.js";

const CHARACTER = 7.4; // pixels, at 12 px semi-bold
const HEIGHT = 14;
const DOT = 10; // half the room a point takes
const AWAY = 15; // from the point's centre to the label

/** For each point [x, y] in a square drawing of `size`, give { x, y, anchor } for its label. */
export function placeLabels(points, names, size) {
  const taken = points.map(([x, y]) => ({ left: x - DOT, right: x + DOT, top: y - DOT, bottom: y + DOT }));
  return points.map((point, i) => {
    const others = taken.filter((_, j) => j !== i);
    const places = candidates(point, names[i].length * CHARACTER, size);
    const best = leastCovered(places, others);
    taken.push(best.box);
    return best.label;
  });
}

function leastCovered(places, others) {
  const costs = places.map(({ box }) => others.reduce((sum, other) => sum + overlap(box, other), 0));
  return places[costs.indexOf(Math.min(...costs))];
}

/** Outward from the origin first, then the four sides. */
function candidates([x, y], width, size) {
  const [dx, dy] = [x - size / 2, y - size / 2];
  const sideways = Math.abs(dx) > 0.35 * Math.hypot(dx, dy);
  const outward = sideways ? [Math.sign(dx), (dy / Math.hypot(dx, dy)) * 0.9] : [0, Math.sign(dy) || -1];
  const directions = [outward, [1, 0], [-1, 0], [0, -1], [0, 1]];
  return directions.map((direction) => placeLabel([x, y], direction, width, size));
}

function placeLabel([x, y], [right, down], width, size) {
  const shift = right === 0 ? -width / 2 : right > 0 ? AWAY : -AWAY - width;
  const left = clamp(x + shift, 4, size - width - 4);
  const middle = clamp(y + down * (right === 0 ? AWAY + 4 : AWAY), HEIGHT / 2 + 2, size - HEIGHT / 2 - 2);
  const box = { left, right: left + width, top: middle - HEIGHT / 2, bottom: middle + HEIGHT / 2 };
  return { box, label: anchored(box, right) };
}

function anchored(box, right) {
  const y = box.top + HEIGHT / 2 + 4;
  if (right > 0) return { x: box.left, y, anchor: "start" };
  if (right < 0) return { x: box.right, y, anchor: "end" };
  return { x: (box.left + box.right) / 2, y, anchor: "middle" };
}

/** The area that two boxes { left, right, top, bottom } share. */
export function overlap(a, b) {
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  return width > 0 && height > 0 ? width * height : 0;
}
