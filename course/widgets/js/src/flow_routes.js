// The ways of the arrows of a diagram: for each the one of a few curves that is short and meets no other box.
import { clamp, range } from "./numbers.js";

const OUTWARD = { top: [0, -1], bottom: [0, 1], left: [-1, 0], right: [1, 0] };
const SIDES = ["right", "left", "top", "bottom"]; // where an arrow may go either way, it goes the first
const OPPOSITE = { top: "bottom", bottom: "top", left: "right", right: "left" };
const MEETS = 1000; // cost, in pixels, of meeting a box
const AGAINST = 200; // of leaving sideways where the others leave downwards
const ROUND = 400; // of going round without need
const APART = 16; // between two ends on one side of a box
const LANE = 19; // between a box and what goes round it
const CORNER = 10;
export const HEAD = 8; // a line ends that far before the box, where the head begins

/** One route an arrow { from, to, residual } (rects); a route has its points, from box to box. */
export function route(arrows, rects) {
  const routes = arrows.map((arrow) => cheapest(arrow, arrows, rects));
  spreadEnds(routes);
  routes.forEach(straighten);
  return routes.map((one) => ({ ...one, points: points(one, rects) }));
}

// ---- which sides of its boxes an arrow uses ----

function cheapest(arrow, arrows, rects) {
  const upright = standing(arrow, arrows);
  const options = candidates(arrow).map((option) => ({ ...option, cost: cost(option, rects, upright) }));
  return options.reduce((best, option) => (option.cost < best.cost - 1 ? option : best));
}

function candidates({ from, to, residual }) {
  if (from === to) return ["bottom", "top"].map((side) => join(from, to, side, side, residual));
  const facing = SIDES.filter((side) => gap(from, to, side) > 0);
  return [
    ...facing.map((side) => join(from, to, side, OPPOSITE[side], residual)),
    ...SIDES.filter((side) => residual || !facing.some((other) => along(other) === along(side)))
      .map((side) => join(from, to, side, side, residual)),
  ];
}

function join(from, to, leave, enter, residual) {
  const start = { rect: from, side: leave, shift: 0, before: -3 }; // under the box, so that no corner of it shows
  return { residual, ends: [start, { rect: to, side: enter, shift: 0, before: HEAD }] };
}

/** The axis of a side's outward direction: 0 for left and right, 1 for top and bottom. */
function along(side) {
  return OUTWARD[side][0] ? 0 : 1;
}

/** Room between two rects, seen from one side of the first; negative if there is none. */
function gap(from, to, side) {
  const [x, y] = OUTWARD[side];
  const reach = Math.abs(x) * (from.width + to.width) + Math.abs(y) * (from.height + to.height);
  return x * (to.x - from.x) + y * (to.y - from.y) - reach / 2;
}

/** Above 0 if arrows that share a box with this one go from row to row, below 0 if from column to column. */
function standing(arrow, arrows) {
  const straight = arrows.map(({ from, to }) => (from.x === to.x) - (from.y === to.y));
  return sum(arrows.map((other) => vote(arrow, other))) || sum(straight) || 1;
}

function vote(arrow, other) {
  const [leave, enter] = [other.from === arrow.from, other.to === arrow.to];
  if (leave === enter) return 0;
  const [shared, a, b] = leave ? [arrow.from, arrow.to, other.to] : [arrow.to, arrow.from, other.from];
  return (a.y === b.y && a.y !== shared.y) - (a.x === b.x && a.x !== shared.x);
}

function cost(option, rects, upright) {
  const [start, end] = option.ends;
  const line = points(option, rects);
  const others = rects.filter((rect) => rect !== start.rect && rect !== end.rect);
  const met = others.filter((rect) => line.some((point) => inside(point, rect))).length;
  const round = start.side === end.side;
  const against = !round && (along(start.side) === 1) !== upright > 0;
  return met * MEETS + length(line) + round * ROUND + against * AGAINST;
}

function inside([x, y], { left, right, top, bottom }) {
  return x > left - 1 && x < right + 1 && y > top - 1 && y < bottom + 1;
}

function length(line) {
  return sum(line.slice(1).map(([x, y], i) => Math.hypot(x - line[i][0], y - line[i][1])));
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + Number(number), 0);
}

// ---- where on a side ----

/** Ends that share a side of a box stand beside one another, ordered so that the arrows don't cross. */
function spreadEnds(routes) {
  const ends = routes.flatMap(({ ends: [a, b] }) => [Object.assign(a, { far: b }), Object.assign(b, { far: a })]);
  for (const end of ends) {
    end.group ??= ends.filter(({ rect, side }) => rect === end.rect && side === end.side);
    end.group.forEach((other) => (other.group = end.group));
  }
  for (const group of new Set(ends.map((end) => end.group))) {
    const step = Math.min(APART, (2 * limit(group[0])) / group.length);
    group.sort((a, b) => order(a) - order(b));
    group.forEach((end, i) => (end.shift = (i - (group.length - 1) / 2) * step));
  }
}

function order({ rect, side, far }) {
  const across = along(side) ? "x" : "y";
  const away = far.rect[across] - rect[across];
  return side === far.side ? Math.sign(away) * 1e5 - away : away;
}

/** How far from the middle of its side an end may be. */
function limit({ rect, side }) {
  return Math.max(0, (along(side) ? rect.width : rect.height) / 2 - 9);
}

/** Where both ends nearly face one another, one that is alone on its side moves for a straight line. */
function straighten({ ends: [a, b] }) {
  if (a.side === b.side) return;
  const across = 1 - along(a.side);
  const away = port(a)[across] - port(b)[across];
  const [mover, by] = b.group.length === 1 ? [b, away] : [a, -away];
  const fits = Math.abs(away) < 1.5 * APART && Math.abs(mover.shift + by) <= limit(mover);
  if (fits && mover.group.length === 1) mover.shift += by;
}

// ---- the curve ----

function port({ rect, side, shift, before }) {
  const [x, y] = OUTWARD[side];
  const [right, down] = [x * (rect.width / 2 + before), y * (rect.height / 2 + before)];
  return [rect.x + right + (y && shift), rect.y + down + (x && shift)];
}

export function outward({ side }) {
  return OUTWARD[side];
}

function points({ ends: [a, b], residual }, rects) {
  if (a.side !== b.side) return bend(a, b, gap(a.rect, b.rect, a.side) - HEAD);
  const away = Math.hypot(b.rect.x - a.rect.x, b.rect.y - a.rect.y);
  if (!away) return loop(a);
  const lane = furthest(a, b, rects) + LANE;
  return residual ? around(a, b, lane) : arc(a, b, Math.max(clamp(away * 0.28, 26, 140), lane / 0.75));
}

/** From a box to one that it faces: the wider the way across, the straighter. */
function bend(a, b, room) {
  const [start, end] = [port(a), port(b)];
  const across = 1 - along(a.side);
  return arc(a, b, room * clamp(room / Math.abs(start[across] - end[across]), 0.25, 0.5));
}

/** A smooth curve that leaves and enters at right angles. */
function arc(a, b, reach) {
  const [start, end] = [port(a), port(b)];
  const [x, y] = OUTWARD[a.side];
  const [u, v] = OUTWARD[b.side];
  return bezier(start, [start[0] + x * reach, start[1] + y * reach], [end[0] + u * reach, end[1] + v * reach], end);
}

function loop(end) {
  const [x, y] = port({ ...end, shift: 0 });
  const [, down] = OUTWARD[end.side];
  return bezier([x - 8, y], [x - 32, y + 44 * down], [x + 32, y + 44 * down], [x + 8, y + HEAD * down]);
}

/** How far the boxes on the way stick out beyond the first box's side. */
function furthest(a, b, rects) {
  const hull = { left: "min", right: "max", top: "min", bottom: "max" };
  for (const [side, least] of Object.entries(hull)) hull[side] = Math[least](a.rect[side], b.rect[side]);
  const near = rects.filter((rect) =>
    rect.left < hull.right && rect.right > hull.left && rect.top < hull.bottom && rect.bottom > hull.top);
  const sign = sum(OUTWARD[a.side]);
  return Math.max(...near.map((rect) => sign * (rect[a.side] - a.rect[a.side])));
}

/** Out to a lane, along it, and in again, with round corners. */
function around(a, b, lane) {
  const [start, end] = [port(a), port(b)];
  const axis = along(a.side);
  const at = start[axis] + sum(OUTWARD[a.side]) * lane;
  const corners = [start, end].map((point) => point.with(axis, at));
  const [first, second] = [rounded(start, corners[0], corners[1]), rounded(corners[0], corners[1], end)];
  const parts = [straight(start, first[0]), first, straight(first.at(-1), second[0]), second];
  return [...parts.flat(), ...straight(second.at(-1), end)];
}

function rounded(before, corner, after) {
  const near = (other) => {
    const away = Math.hypot(other[0] - corner[0], other[1] - corner[1]) || 1;
    return mix(corner, other, Math.min(CORNER, away / 2) / away);
  };
  const [start, end] = [near(before), near(after)];
  return bezier(start, mix(start, corner, 2 / 3), mix(end, corner, 2 / 3), end, 6);
}

function straight(start, end) {
  return range(0, 12).map((i) => mix(start, end, i / 12));
}

function bezier(a, b, c, d, count = 32) {
  return range(0, count).map((i) => {
    const t = i / count;
    const [ab, bc, cd] = [mix(a, b, t), mix(b, c, t), mix(c, d, t)];
    return mix(mix(ab, bc, t), mix(bc, cd, t), t);
  });
}

function mix(a, b, t) {
  return [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t];
}
