// Where the boxes of a diagram stand, in pixels: columns share the width, rows are as high as their boxes need.
import { clamp } from "./numbers.js";

const WIDEST = 150; // pixels a column
const LOWEST = 64; // pixels a row
const HIGHEST = 170;
const NARROWEST = 26; // pixels a box
const BETWEEN = [30, 90]; // from a box to the one below: more where an arrow goes far aside
const SLOPE = 0.25;

/** Centre and width of each box, and the room between columns; `margin` { left, right } is for what goes round. */
export function placeColumns(boxes, width, margin, labelRoom) {
  const first = Math.min(...boxes.map((box) => box.x - box.width / 2));
  const last = Math.max(...boxes.map((box) => box.x + box.width / 2));
  const room = Math.max(width - margin.left - margin.right, 1);
  const rough = Math.min(WIDEST, room / (last - first));
  const gutter = clamp(Math.max(rough * 0.24, labelRoom), 14, Math.max(14, rough * 0.45));
  const column = Math.min(WIDEST, (room + gutter) / (last - first));
  const rects = boxes.map((box) => ({
    row: box.y,
    x: margin.left - gutter / 2 + (box.x - first) * column,
    width: Math.max(NARROWEST, box.width * column - gutter),
  }));
  return { rects, gutter, column, right: margin.left + (last - first) * column - gutter };
}

/** Give each rect its height and its centre y; `heights` are what the boxes hold, `arrows` have from and to (rects). */
export function placeRows(rects, heights, arrows) {
  for (const rect of rects) rect.height = Math.max(...heights.filter((_, i) => rects[i].row === rect.row));
  const height = rowHeight(rects, arrows);
  rects.forEach((rect) => {
    rect.y = rect.row * height;
    Object.assign(rect, edges(rect));
  });
}

function edges({ x, y, width, height }) {
  return { left: x - width / 2, right: x + width / 2, top: y - height / 2, bottom: y + height / 2 };
}

/** The least height of a row at which no box comes near the one below it, and no arrow lies flat. */
function rowHeight(rects, arrows) {
  const above = rects.flatMap((a) => rects.filter((b) => b.row > a.row && overlapping(a, b)).map((b) => needed(a, b)));
  const leaning = arrows.filter(({ from, to }) => Math.abs(from.row - to.row) >= 1);
  return clamp(Math.max(0, ...above, ...leaning.map(({ from, to }) => needed(from, to))), LOWEST, HIGHEST);
}

function overlapping(a, b) {
  return Math.abs(a.x - b.x) < (a.width + b.width) / 2;
}

function needed(a, b) {
  const room = clamp(SLOPE * Math.abs(a.x - b.x), ...BETWEEN);
  return ((a.height + b.height) / 2 + room) / Math.abs(b.row - a.row);
}
