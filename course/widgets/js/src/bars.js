// Rows of labelled bars with one or more columns side by side.
import { classes, hiddenText, html, matchLength, set, setText } from "./dom.js";
import { clamp, format, toNumber } from "./numbers.js";

export class Bars {
  constructor(link) {
    this.link = link;
    this.rows = [];
    this.heading = new Heading();
    this.head = html("tr");
    this.body = html("tbody");
    this.table = html("table", { class: "cw-bars" }, html("thead", {}, this.head), this.body);
    this.element = html("div", {}, this.heading.element, this.table);
  }

  paint() {
    const { link } = this;
    const columns = link.get("columns").map(readColumn);
    this.heading.paint(link);
    set(this.table, { "aria-label": this.heading.text || link.get("title") || "bars" });
    this.paintHead(columns);
    matchLength(this.rows, link.get("labels").length, this.body, () => new Row());
    this.rows.forEach((row, i) => row.paint(this.describe(i), columns));
  }

  paintHead(columns) {
    const titles = [labelTitle(this.link), ...columns.map((column) => column.title)];
    if (titles.join("\n") === this.titles) return;
    this.titles = titles.join("\n");
    const cells = columns.map(({ title }) => html("th", { scope: "col", colspan: 2 }, title));
    this.head.replaceChildren(html("td", {}, titles[0]), ...cells);
  }

  describe(i) {
    const { link } = this;
    return {
      index: i,
      label: link.get("labels")[i],
      role: link.get("role"),
      masked: Boolean(link.get("masked")[i]),
      wrong: Boolean(link.get("wrong")[i]),
    };
  }
}

function labelTitle(link) {
  return link.get("role") === "plain" ? "" : link.get("role");
}

function readColumn(column) {
  const values = column.values.map(toNumber);
  const sizes = values.filter(Number.isFinite).map(Math.abs);
  return { ...column, values, full: column.vmax ?? Math.max(1, ...sizes) };
}

/** "What [sat] looks at" */
class Heading {
  constructor() {
    this.parts = [html("span"), html("span"), html("span")];
    this.element = html("p", { class: "cw-label" }, this.parts);
  }

  paint(link) {
    const [before, chip, after] = ["before", "chip", "after"].map((part) => link.get(`heading_${part}`));
    this.text = [before, chip, after].filter(Boolean).join(" ");
    [before, chip, after].forEach((text, i) => setText(this.parts[i], text));
    set(this.parts[1], { class: `cw-chip cw-${link.get("chip_role")}`, hidden: !chip });
    set(this.element, { hidden: !this.text });
  }
}

class Row {
  constructor() {
    this.chip = html("span");
    this.state = hiddenText("");
    this.cells = [];
    this.element = html("tr", {}, html("th", { scope: "row" }, this.chip, this.state));
  }

  paint(about, columns) {
    const { label, role, masked, wrong } = about;
    setText(this.chip, label);
    setText(this.state, classes(masked && " masked", wrong && " differs from the right result"));
    set(this.chip, { class: classes("cw-chip", `cw-${role}`, masked && "cw-masked") });
    this.matchCells(columns.length);
    this.cells.forEach((cell, j) => cell.paint(about, columns[j]));
  }

  matchCells(count) {
    if (this.cells.length === count) return;
    this.cells.forEach((cell) => cell.remove());
    this.cells = Array.from({ length: count }, () => new BarCell(this.element));
  }
}

class BarCell {
  constructor(row) {
    this.fill = html("i");
    this.track = html("span", { "aria-hidden": "true" }, this.fill);
    this.number = html("td");
    this.bar = html("td", { class: "cw-bar-cell" }, this.track);
    row.append(this.bar, this.number);
  }

  paint({ index, masked, wrong }, column) {
    const value = column.values[index];
    const marked = wrong && column.judged;
    setText(this.number, format(value, column.digits) + (marked ? " \u2715" : ""));
    set(this.number, { class: classes("cw-number", !column.signed && "cw-attention", marked && "cw-wrong-number") });
    const look = [column.signed && "cw-signed", masked && "cw-hatched", marked && "cw-wrong-bar"];
    set(this.track, { class: classes("cw-bar", ...look) });
    const share = Number.isFinite(value) && !masked ? clamp(value / column.full, -1, 1) : 0;
    if (column.signed) this.stretch(50 + Math.min(0, share) * 50, Math.abs(share) * 50, share < 0);
    else this.stretch(0, Math.max(0, share) * 100, false);
  }

  stretch(left, width, negative) {
    this.fill.style.left = `${left}%`;
    this.fill.style.width = `${width}%`;
    set(this.fill, { class: classes(negative && "cw-negative") });
  }

  remove() {
    this.bar.remove();
    this.number.remove();
  }
}
