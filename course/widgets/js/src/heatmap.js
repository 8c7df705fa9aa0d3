// A table of numbers with a colour behind each. Arrow keys walk the cells; only one of them is a tab stop.
import { classes, hiddenText, html, matchLength, set, setText } from "./dom.js";
import { Legend } from "./heatmap_legend.js";
import { clamp, format, range, toNumber } from "./numbers.js";
import { Tip } from "./tip.js";

const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
const MOST_NUMBERS = 24; // columns; with more, a cell shows its colour only
const MOST_TOGGLES = 50; // of which Python is told at a time
const HEADER = -1; // the column of the row headers

export class Heatmap {
  constructor(link) {
    this.link = link;
    this.cursor = [0, 0];
    this.rows = [];
    this.headers = [];
    this.build();
    this.listen();
  }

  build() {
    this.columnTitle = html("th", { class: "cw-column-title", scope: "colgroup" });
    this.titleRow = html("tr", {}, html("td"), this.columnTitle);
    this.corner = html("td", { class: "cw-row-title" });
    this.headRow = html("tr", {}, this.corner);
    this.body = html("tbody");
    const head = html("thead", {}, this.titleRow, this.headRow);
    const columns = html("colgroup", {}, html("col", { class: "cw-label-column" }));
    this.table = html("table", { class: "cw-heat", role: "grid" }, columns, head, this.body);
    this.legend = new Legend();
    this.tip = new Tip();
    this.element = html("div", { class: "cw-heat-box" }, this.table, this.legend.element, this.tip.element);
  }

  listen() {
    set(this.table, {
      onclick: (event) => this.onClick(event),
      onkeydown: (event) => this.onKey(event),
      onfocusin: (event) => this.onFocus(event),
      onfocusout: () => this.leave(),
      onpointerover: (event) => this.enter(placeOf(event.target)),
      onpointerleave: () => this.leave(),
    });
  }

  // ---- what the student does ----

  onClick(event) {
    const place = placeOf(event.target);
    if (!place) return;
    const [row, column] = place;
    this.cursor = place;
    if (column === HEADER) this.link.set({ selected_row: row });
    else if (this.link.get("editable")) this.toggle(row, column);
    else this.focus();
  }

  /** Several cells may be clicked before Python hears of the first one: it is told all of the last. */
  toggle(row, column) {
    const { cells = [], count = 0 } = this.link.get("toggled");
    this.link.set({ toggled: { cells: [...cells, [row, column]].slice(-MOST_TOGGLES), count: count + 1 } });
  }

  onKey(event) {
    const move = ARROWS[event.key];
    if (!move || !this.rows.length) return;
    event.preventDefault();
    const [row, column] = this.cursor;
    const { values } = this.state;
    this.cursor = [
      clamp(row + move[0], 0, values.length - 1),
      clamp(column + move[1], HEADER, values[0].length - 1),
    ];
    this.focus();
  }

  focus() {
    this.moveTabStop();
    this.target(this.cursor)?.focus();
  }

  onFocus(event) {
    const place = placeOf(event.target);
    if (!place) return;
    this.cursor = place;
    this.moveTabStop();
    this.enter(place);
  }

  enter(place) {
    const cell = place && place[1] !== HEADER ? place : [];
    this.hover(cell);
  }

  leave() {
    this.hover([]);
  }

  hover(cell) {
    const before = this.link.get("hover");
    if (String(before) !== String(cell)) this.link.set({ hover: cell });
  }

  // ---- drawing ----

  paint() {
    this.state = readState(this.link);
    this.paintShape();
    this.paintTitles();
    this.headers.forEach((header, j) => header.paint(this.state, j));
    this.rows.forEach((row, i) => row.paint(this.state, i));
    this.moveTabStop();
    this.legend.paint(this.link.get("legend"), this.state);
    this.paintTip();
  }

  paintShape() {
    const { rowCount, columnCount, editable } = this.state;
    const shape = `${columnCount} ${editable}`;
    if (shape !== this.shape) matchLength(this.rows, 0, this.body);
    this.shape = shape;
    matchLength(this.headers, columnCount, this.headRow, () => new ColumnHeader());
    matchLength(this.rows, rowCount, this.body, (i) => new Row(i, columnCount, editable));
    set(this.columnTitle, { colspan: Math.max(1, columnCount) });
    this.cursor = [clamp(this.cursor[0], 0, rowCount - 1), clamp(this.cursor[1], HEADER, columnCount - 1)];
    this.paintSizes();
  }

  /** Counts of characters, from which the style sheet makes widths. */
  paintSizes() {
    const { columnCount, characters, rowLabels, rowTitle, columnLabels, upright } = this.state;
    const sizes = {
      "--columns": columnCount,
      "--characters": characters,
      "--row-label": longest([...rowLabels, rowTitle && `${rowTitle}  `]),
      "--column-label": upright ? 1 : longest(columnLabels),
    };
    for (const [name, value] of Object.entries(sizes)) this.table.style.setProperty(name, value);
  }

  paintTitles() {
    const { rowTitle, columnTitle, rowRole, columnRole, upright } = this.state;
    setText(this.corner, rowTitle);
    setText(this.columnTitle, columnTitle);
    set(this.corner, { class: classes("cw-row-title", rowTitle && `cw-glyph cw-${rowRole}`) });
    set(this.columnTitle, { class: classes("cw-column-title", columnTitle && `cw-glyph cw-${columnRole}`) });
    set(this.titleRow, { hidden: !columnTitle });
    const { dense } = this.state;
    set(this.table, {
      class: classes("cw-heat", upright && "cw-upright", dense && "cw-dense", this.state.signed && "cw-signed"),
      "aria-label": this.link.get("title") || this.link.get("description") || "table of numbers",
    });
  }

  paintTip() {
    const [row, column] = this.link.get("hover");
    const cell = this.rows[row]?.cells[column];
    if (cell) this.tip.showAbove(tipText(this.state, row, column), cell.element.getBoundingClientRect());
    else this.tip.hide();
  }

  target([row, column]) {
    const line = this.rows[row];
    return column === HEADER ? line?.button : line?.cells[column]?.target;
  }

  moveTabStop() {
    const next = this.target(this.cursor);
    if (next === this.tabStop) return;
    if (this.tabStop) set(this.tabStop, { tabindex: -1 });
    if (next) set(next, { tabindex: 0 });
    this.tabStop = next;
  }
}

/** [row, column] of the cell or row header that holds this element, or null. */
function placeOf(element) {
  const cell = element.closest("[data-place]");
  return cell && cell.dataset.place.split(" ").map(Number);
}

function longest(labels) {
  return Math.max(1, ...labels.map((label) => label.length));
}

/** Everything the parts need, read once a paint. */
function readState(link) {
  const values = link.get("values").map((row) => row.map(toNumber));
  const columnCount = values[0]?.length ?? 0;
  const digits = link.get("digits");
  const texts = values.map((row) => row.map((value) => format(value, digits)));
  const dense = columnCount > MOST_NUMBERS;
  const sparse = dense && !link.get("column_labels").length;
  const columnLabels = labelsOf(link.get("column_labels"), columnCount);
  return {
    values, texts, digits, columnCount, columnLabels,
    rowCount: values.length,
    rowLabels: labelsOf(link.get("row_labels"), values.length),
    rowRole: link.get("row_role"), columnRole: link.get("column_role"),
    rowTitle: link.get("row_title"), columnTitle: link.get("column_title"),
    masked: link.get("masked"), wrong: link.get("wrong"), expected: link.get("expected"),
    signed: link.get("signed"), editable: link.get("editable"), selectedRow: link.get("selected_row"),
    scale: readScale(link, values),
    characters: longest(texts.flat()),
    dense,
    sparse,
    upright: !sparse && longest(columnLabels) > Math.max(2, 30 / Math.max(1, columnCount)),
    firstWrong: firstFlag(link.get("wrong")),
  };
}

/** The labels given, or else the indices. */
function labelsOf(given, count) {
  return given.length ? given : range(0, count - 1).map(String);
}

function firstFlag(flags) {
  const row = flags.findIndex((line) => line.includes(true));
  return row < 0 ? "" : `${row} ${flags[row].indexOf(true)}`;
}

/** The values at the two ends of the colour ramp. */
function readScale(link, values) {
  const known = values.flat().filter(Number.isFinite);
  const low = link.get("vmin") ?? Math.min(0, ...known);
  const high = link.get("vmax") ?? Math.max(link.get("signed") ? 0 : 1, ...known);
  if (!link.get("signed")) return { low, high };
  const reach = Math.max(Math.abs(low), Math.abs(high)) || 1;
  return { low: -reach, high: reach };
}

function shareOf(value, { low, high }, signed) {
  if (Number.isNaN(value)) return 0;
  if (signed) return clamp(value / high, -1, 1);
  return clamp((value - low) / (high - low || 1), 0, 1);
}

function tipText(state, row, column) {
  const names = [
    [state.rowTitle, state.rowLabels[row]].filter(Boolean).join(" "),
    [state.columnTitle, state.columnLabels[column]].filter(Boolean).join(" "),
  ];
  return `${names.filter(Boolean).join(" \u2192 ")}${names.some(Boolean) ? ": " : ""}${meaning(state, row, column)}`;
}

function meaning(state, row, column) {
  const { values, texts, masked, wrong, digits } = state;
  if (wrong[row]?.[column]) return wrongText(state, row, column);
  return masked[row]?.[column] ? "masked" : format(values[row][column], digits && digits + 2);
}

function wrongText({ texts, masked, expected, digits }, row, column) {
  const yours = masked[row]?.[column] ? "masked" : texts[row][column];
  const right = expected[row]?.[column];
  return `yours ${yours}${right === undefined ? "" : `, expected ${format(toNumber(right), digits)}`}`;
}

class ColumnHeader {
  constructor() {
    this.label = html("span", { class: "cw-column-label" });
    this.element = html("th", { scope: "col" }, this.label);
  }

  paint({ columnLabels, columnRole, sparse }, index) {
    const seen = !sparse || index % 8 === 0;
    setText(this.label, columnLabels[index]);
    set(this.label, { title: columnLabels[index], class: seen ? "cw-column-label" : "cw-hidden" });
    set(this.element, { class: `cw-${columnRole}` });
  }
}

class Row {
  constructor(index, columnCount, editable) {
    this.button = html("button", { class: "cw-row-button", type: "button", tabindex: -1 });
    const header = html("th", { scope: "row", "data-place": `${index} ${HEADER}` }, this.button);
    this.cells = Array.from({ length: columnCount }, (_, j) => new Cell(index, j, editable));
    this.element = html("tr", {}, header, this.cells.map((cell) => cell.element));
  }

  paint(state, index) {
    const selected = state.selectedRow === index;
    const label = state.rowLabels[index];
    setText(this.button, label);
    set(this.button, { class: `cw-row-button cw-${state.rowRole}`, "aria-pressed": String(selected), title: label });
    set(this.element, { class: classes(selected && "cw-selected") });
    this.cells.forEach((cell) => cell.paint(state));
  }
}

class Cell {
  constructor(row, column, editable) {
    this.place = [row, column];
    this.editable = editable;
    this.number = html("span", { class: "cw-cell-number" });
    this.extra = hiddenText("");
    const box = editable ? html("button", { type: "button", tabindex: -1 }) : html("div");
    box.append(this.number, this.extra);
    this.box = box;
    this.element = html("td", { "data-place": `${row} ${column}`, tabindex: editable ? null : -1 }, box);
    this.target = editable ? box : this.element;
  }

  paint(state) {
    const [row, column] = this.place;
    const value = state.values[row][column];
    const masked = Boolean(state.masked[row]?.[column]);
    const wrong = Boolean(state.wrong[row]?.[column]);
    const first = state.firstWrong === `${row} ${column}`;
    const share = shareOf(value, state.scale, state.signed);
    setText(this.number, masked || state.dense ? "" : state.texts[row][column]);
    setText(this.extra, this.spoken(state, masked, wrong));
    this.box.style.setProperty("--share", Math.abs(share).toFixed(4));
    const look = [masked && "cw-hatched", share < 0 && "cw-negative", wrong && "cw-wrong-cell", first && "cw-first"];
    set(this.box, { class: classes("cw-cell", ...look) });
    if (this.editable) set(this.box, { "aria-pressed": String(state.masked.length ? masked : value > 0) });
  }

  /** What a screen reader hears after (or instead of) the number. */
  spoken(state, masked, wrong) {
    const [row, column] = this.place;
    if (wrong) return ` differs: ${wrongText(state, row, column)}`;
    if (masked) return "masked";
    return state.dense ? state.texts[row][column] : "";
  }
}
