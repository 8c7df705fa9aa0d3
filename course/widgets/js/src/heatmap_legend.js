// The line under a heat-map: what its colours, hatching and crosses mean.
import { html, set, setText } from "./dom.js";
import { compact, format } from "./numbers.js";

export class Legend {
  constructor() {
    this.low = html("span");
    this.high = html("span");
    this.ramp = html("i", { class: "cw-ramp", "aria-hidden": "true" });
    this.masked = swatch("cw-hatched", "masked");
    this.wrong = swatch("cw-wrong-cell", "differs");
    this.element = html("div", { class: "cw-legend" }, this.low, this.ramp, this.high, this.masked, this.wrong);
  }

  paint(shown, { scale, signed, masked, wrong, digits }) {
    set(this.element, { hidden: !shown });
    setText(this.low, endText(scale.low, digits));
    setText(this.high, endText(scale.high, digits));
    set(this.ramp, { class: signed ? "cw-ramp cw-signed" : "cw-ramp" });
    set(this.masked, { hidden: !anyTrue(masked) });
    set(this.wrong, { hidden: !anyTrue(wrong) });
  }
}

function swatch(look, text) {
  const sample = html("i", { class: `cw-swatch ${look}`, "aria-hidden": "true" });
  return html("span", { class: "cw-key-entry" }, sample, text);
}

function endText(value, digits) {
  return Number.isInteger(value) ? compact(value) : format(value, digits);
}

function anyTrue(flags) {
  return flags.some((row) => row.includes(true));
}
