// The style sheet's colours, as three.js takes them. Read anew when the theme changes.
import { Color } from "three";
import { clamp } from "../numbers.js";

const NAMES = ["pale", "deep", "neutral", "positive", "negative", "muted", "surface", "focus", "attention", "bad"];
const HIDDEN = 0.3; // of a cell that is not lit while others are

export class Palette {
  constructor(element) {
    this.element = element;
    this.brush = document.createElement("canvas").getContext("2d");
    this.mixed = new Color();
    this.read();
  }

  read() {
    const style = getComputedStyle(this.element);
    for (const name of NAMES) this[name] = this.parse(style.getPropertyValue(`--cw-${name}`).trim());
    this.family = style.fontFamily;
  }

  /** Any CSS colour, through a canvas, which knows them all. */
  parse(text) {
    this.brush.fillStyle = text;
    this.brush.clearRect(0, 0, 1, 1);
    this.brush.fillRect(0, 0, 1, 1);
    const [r, g, b] = this.brush.getImageData(0, 0, 1, 1).data;
    return new Color(r / 255, g / 255, b / 255);
  }

  /** The colour behind a number: -1..1 from negative to positive, or 0..1 for a share. */
  tile(value, signed) {
    if (!Number.isFinite(value)) return this.mixed.copy(this.neutral).lerp(this.muted, 0.35);
    if (!signed) return this.mixed.copy(this.pale).lerp(this.deep, clamp(value, 0, 1));
    return this.mixed.copy(this.neutral).lerp(value < 0 ? this.negative : this.positive, clamp(Math.abs(value), 0, 1) ** 0.7);
  }

  /** The same colour where something else is lit. */
  hidden(colour) {
    return colour.lerp(this.surface, 1 - HIDDEN);
  }

  /** Black or white, whichever reads better on a colour. */
  inkOn({ r, g, b }) {
    return 0.299 * r + 0.587 * g + 0.114 * b > 0.5 ? "#000" : "#fff";
  }
}
