// Lines of maths: text with roles, fractions, superscripts.
import { classes, html } from "./dom.js";

const TAGS = { italic: "i", bold: "b", sup: "sup", sub: "sub" };

export class Formula {
  constructor(link) {
    this.link = link;
    this.element = html("div", { class: "cw-formula cw-math" });
  }

  paint() {
    const lines = this.link.get("lines");
    const text = JSON.stringify(lines);
    if (text === this.painted) return;
    this.painted = text;
    this.element.replaceChildren(...lines.map(drawLine));
  }
}

function drawLine(segments) {
  return html("div", { class: "cw-line", role: "img", "aria-label": spoken(segments) }, segments.map(drawSegment));
}

function drawSegment(segment) {
  if (segment.fraction) return drawFraction(segment.fraction);
  if (segment.sup) return html("sup", {}, segment.sup.map(drawSegment));
  const tag = TAGS[segment.style] ?? "span";
  return html(tag, { class: classes("cw-text", segment.role && `cw-${segment.role}`) }, segment.text);
}

function drawFraction([top, bottom]) {
  const [above, below] = [top, bottom].map((part) => html("span", {}, part.map(drawSegment)));
  return html("span", { class: "cw-fraction" }, above, below);
}

/** The line as one would read it aloud. */
function spoken(segments) {
  return segments.map(spokenSegment).join("").replace(/\s+/g, " ").trim();
}

function spokenSegment(segment) {
  if (segment.fraction) return ` (${spoken(segment.fraction[0])}) / (${spoken(segment.fraction[1])}) `;
  if (segment.sup) return `^(${spoken(segment.sup)})`;
  if (segment.style === "sup") return `^(${segment.text})`;
  return segment.style === "sub" ? `_${segment.text}` : segment.text;
}
