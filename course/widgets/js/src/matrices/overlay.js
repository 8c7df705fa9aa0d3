// What is written beside the tiles, as HTML over the picture: names with shapes, the labels of rows and columns, signs.
import { html, classes } from "../dom.js";
import { WIDTH } from "./block.js";
import { Vector3 } from "./stage.js";

const AWAY = 0.7; // of a label from its row or column, in cells
const SMALLEST = 9; // pixels of a cell's height for which its label is still shown

export class Overlay {
  constructor() {
    this.element = html("div", { class: "cw-over", "aria-hidden": "true" });
    this.notes = [];
  }

  /** Write everything anew for a scene of [block, placed] and signs between them. */
  write(placed, signs) {
    this.notes = [];
    for (const [block, place] of placed) this.writeAround(block, place);
    for (const { text, x, y } of signs) this.note(null, [x, y, 0], text, "cw-over-sign", 0);
    this.element.replaceChildren(...this.notes.map((note) => note.element));
  }

  writeAround(block, place) {
    const { row_labels, column_labels, row_role, column_role } = block.record;
    if (place.caption) this.writeName(block, place);
    if (place.rows) {
      row_labels.forEach((text, i) => this.note(block, [-AWAY, -i - 0.5, 0], text, `cw-over-row cw-${row_role}`, SMALLEST));
    }
    if (place.columns) {
      column_labels.forEach((text, j) =>
        this.note(block, [(j + 0.5) * WIDTH, AWAY, 0], text, `cw-over-column cw-${column_role}`, SMALLEST));
    }
  }

  writeName(block, { caption, columns, faint, strong }) {
    const { label, symbol, shape } = block.record;
    const short = caption === "short";
    const text = short ? [symbol] : [label, html("small", {}, shape)];
    const look = classes("cw-over-name", short && "cw-over-short", faint && "cw-over-faint", strong && "cw-over-strong");
    this.note(block, [block.width / 2, columns ? 1.9 : 0.9, 0], text, look, 0);
  }

  note(block, at, text, look, smallest) {
    const element = html("div", { class: `cw-over-note ${look}` }, text);
    this.notes.push({ block, at: new Vector3(...at), element, smallest });
  }

  /** Move everything to where its block is in the picture now; `pixels` is the height of a cell of a block. */
  place(stage, pixels) {
    for (const { block, at, element, smallest } of this.notes) {
      const point = block ? block.group.localToWorld(at.clone()) : at.clone();
      const [x, y] = stage.project(point);
      const shown = !smallest || pixels(block) >= smallest;
      element.style.visibility = shown ? "" : "hidden";
      element.style.transform = `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px) translate(-50%, -50%)`;
    }
  }
}
