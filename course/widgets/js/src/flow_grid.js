// Where the boxes of a diagram stand, in pixels: columns share the width, rows are as high as their boxes need.
import { clamp } from "./numbers.js";

const WIDEST = 150; // pixels a column
const LOWEST = 64; // pixels a row
const HIGHEST = 170;
const NARROWEST = 26; // pixels a box
const BETWEEN = 30; // between a box and the one below

/** Centre and width of each box, and the room between columns; `margin` { left, right } is for what goes round. */
export function placeColumns(boxes, width, margin, labelRoom) {
  const first = Math.min(...boxes.map((box) => box.x - box.width / 2));
  const last = Math.max(...boxes.map((box) => box.x + box.width / 2));
  const room = Math.max(width - margin.left - margin.right, 1);
  const rough = Math.min(WIDEST, room / (last - first));
  const gutter = clamp(Math.max(rough * 0.24, labelRoom), 14, Math.max(14, rough * 0.45));
  const column = Math.min(WIDEST, (room + gutter) / (last - first));
  const rects = boxes.map((box) => ({
    x: margin.left - gutter / 2 + (box.x - first) * column,
    width: Math.max(NARROWEST, box.width * column - gutter),
  }));
  return { rects, gutter, column, right: margin.left + (last - first) * column - gutter };
}

/** Give each rect its height and its centre y; `heights` are what the boxes hold. */
export function placeRows(boxes, rects, heights) {
  rects.forEach((rect, i) => {
    rect.height = Math.max(...heights.filter((_, j) => boxes[j].y === boxes[i].y));
  });
  const row = rowHeight(boxes, rects);
  rects.forEach((rect, i) => {
    rect.y = boxes[i].y * row;
    Object.assign(rect, edges(rect));
  });
}

function edges({ x, y, width, height }) {
  return { left: x - width / 2, right: x + width / 2, top: y - height / 2, bottom: y + height / 2 };
}

/** The least height of a row at which no box comes near the one below it. */
function rowHeight(boxes, rects) {
  const needed = boxes.flatMap((above, i) =>
    boxes.map((below, j) => {
      const apart = Math.abs(rects[i].x - rects[j].x) >= (rects[i].width + rects[j].width) / 2;
      if (apart || below.y <= above.y) return 0;
      return ((rects[i].height + rects[j].height) / 2 + BETWEEN) / (below.y - above.y);
    }));
  return clamp(Math.max(...needed, 0), LOWEST, HIGHEST);
}
