// A small label that floats above what is hovered or focused. Its text is also in the page, so it is hidden from
// screen readers.
import { html, set, setText } from "./dom.js";
import { clamp } from "./numbers.js";

const GAP = 8;

export class Tip {
  constructor() {
    this.element = html("div", { class: "cw-tip", "aria-hidden": "true", hidden: true });
  }

  /** Show `text` above (or, at the page's top, below) a box given in client coordinates. */
  showAbove(text, box) {
    const { width, height } = this.reveal(text);
    const above = box.top - height - GAP;
    this.moveTo((box.left + box.right - width) / 2, above < 0 ? box.bottom + GAP : above);
  }

  /** Show `text` to the right of a box, or to the left where there is no room. */
  showBeside(text, box) {
    const { width } = this.reveal(text);
    const room = this.home().right - box.right;
    this.moveTo(room > width + GAP ? box.right + GAP : box.left - GAP - width, box.top);
  }

  reveal(text) {
    setText(this.element, text);
    set(this.element, { hidden: false });
    return this.element.getBoundingClientRect();
  }

  home() {
    return this.element.offsetParent?.getBoundingClientRect() ?? new DOMRect();
  }

  moveTo(left, top) {
    const home = this.home();
    const furthest = Math.max(0, home.width - this.element.offsetWidth);
    this.element.style.left = `${clamp(left - home.left, 0, furthest)}px`;
    this.element.style.top = `${top - home.top}px`;
  }

  hide() {
    set(this.element, { hidden: true });
  }
}
