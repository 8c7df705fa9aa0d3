// Matrices in three dimensions. Python says what stands where; the view draws it, and reports the cell that the
// pointer or the arrow keys are on, and clicks.
import { CatmullRomCurve3, Mesh, MeshBasicMaterial, TubeGeometry } from "three";
import { hiddenText, html, set, setText } from "../dom.js";
import { clamp, format, toNumber } from "../numbers.js";
import { Tip } from "../tip.js";
import { Block, Marker, WIDTH } from "./block.js";
import { Overlay } from "./overlay.js";
import { Palette } from "./palette.js";
import { Stage, Vector3 } from "./stage.js";

const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
const READABLE = 22; // pixels of a cell's width for which its number is written on it
const FLIGHT = 650; // ms from one scene to the next
const GROWTH = 800; // ms for the result to appear
const HELP = "Arrow keys walk the cells, Shift and arrows turn the picture, plus and minus zoom, 0 goes back.";
const NO_WEBGL = "This browser shows no WebGL, so there is no picture in 3-D. The steps, the sums and the table below have the same numbers.";

export class Matrices {
  constructor(link) {
    this.link = link;
    this.blocks = new Map();
    this.before = {};
    this.build();
    this.start();
  }

  build() {
    this.canvas = html("canvas", { tabindex: 0, role: "application", "aria-roledescription": "picture in 3-D" });
    this.spoken = hiddenText("");
    set(this.spoken, { "aria-live": "polite" });
    this.overlay = new Overlay();
    this.tip = new Tip();
    this.picture = html("div", { class: "cw-matrices" }, this.canvas, this.overlay.element);
    this.element = html("div", { class: "cw-matrices-box" }, this.picture, this.spoken, this.tip.element);
  }

  /** Without WebGL everything but the picture still works. */
  start() {
    try {
      this.stage = new Stage(this.canvas, () => this.prepare());
    } catch {
      this.picture.replaceChildren(html("p", { class: "cw-note", role: "status" }, NO_WEBGL));
      set(this.picture, { class: "cw-matrices cw-matrices-none" });
      return;
    }
    this.palette = new Palette(this.element);
    this.marker = new Marker();
    this.listen();
  }

  listen() {
    set(this.canvas, {
      onpointermove: (event) => event.buttons || this.enter(event),
      onpointerdown: (event) => (this.pressed = [event.clientX, event.clientY]),
      onpointerup: (event) => this.release(event),
      onpointerleave: () => this.tip.hide(),
      onkeydown: (event) => this.onKey(event),
      onfocus: () => this.canvas.matches(":focus-visible") && this.walk([0, 0]),
      onblur: () => this.tip.hide(),
    });
    this.themes = new MutationObserver(() => this.recolour());
    this.themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  }

  // ---- what the student does ----

  cellAt(event) {
    const meshes = this.shown().map(([block]) => block.mesh);
    const hit = this.stage.pick(event.clientX, event.clientY, meshes);
    if (!hit) return null;
    const { block } = hit.object.userData;
    return [block.record.name, ...block.cellOf(hit)];
  }

  enter(event) {
    const cell = this.cellAt(event);
    if (cell) this.hover(cell);
    else this.tip.hide();
  }

  /** A press that did not turn the picture is a click. */
  release(event) {
    const [x, y] = this.pressed ?? [Infinity, 0];
    if (Math.hypot(event.clientX - x, event.clientY - y) > 5) return;
    const cell = this.cellAt(event);
    if (!cell) return;
    this.hover(cell);
    const count = (this.link.get("clicked").count ?? 0) + 1;
    this.link.set({ clicked: { name: cell[0], row: cell[1], column: cell[2], count } });
  }

  hover(cell) {
    if (String(this.link.get("hover")) !== String(cell)) this.link.set({ hover: cell });
    else this.showTip();
  }

  onKey(event) {
    const move = ARROWS[event.key];
    if (move && event.shiftKey) this.stage.turn(0.12 * move[1], -0.12 * move[0]);
    else if (move) this.walk(move);
    else if ("+=".includes(event.key)) this.stage.zoom(1 / 1.15);
    else if (event.key === "-") this.stage.zoom(1.15);
    else if (event.key === "0") this.look(FLIGHT);
    else if (event.key === "Escape") this.hover([]);
    else return;
    event.preventDefault();
  }

  /** Go on from the cell that is marked, if it is in the current matrix; else begin at its first. */
  walk([down, right]) {
    const name = this.link.get("current");
    const block = this.blocks.get(name);
    if (!block) return;
    const [at, row, column] = this.link.get("hover");
    if (at !== name) this.hover([name, 0, 0]);
    else this.hover([name, clamp(row + down, 0, block.rows - 1), clamp(column + right, 0, block.columns - 1)]);
  }

  // ---- drawing ----

  paint() {
    set(this.canvas, { "aria-label": `${this.link.get("description")} ${HELP}` });
    if (!this.stage) return this.speak();
    const [matrices, scene, hover] = ["matrices", "scene", "hover"].map((name) => this.news(name));
    const [lit, resets] = [this.news("lit"), this.news("resets")];
    if (matrices) this.takeMatrices(matrices);
    if (scene || matrices) this.arrange(Boolean(scene));
    else if (lit || hover) this.light();
    if (resets !== null && this.seen) this.look(FLIGHT);
    if (hover || matrices || scene) this.mark();
    this.speak();
    this.stage.request();
  }

  /** A trait's value if it is not what was painted last, else null. */
  news(name) {
    const value = this.link.get(name);
    if (value === this.before[name]) return null;
    this.before[name] = value;
    return value;
  }

  takeMatrices(records) {
    const names = new Set(records.map((record) => record.name));
    for (const [name, block] of this.blocks) {
      if (names.has(name)) continue;
      block.group.removeFromParent();
      block.free();
      this.blocks.delete(name);
    }
    for (const record of records) this.block(record.name).show(record);
  }

  block(name) {
    if (!this.blocks.has(name)) {
      this.blocks.set(name, new Block());
      this.stage.scene.add(this.blocks.get(name).group);
    }
    return this.blocks.get(name);
  }

  /** The blocks that stand in the scene, each with its place. */
  shown() {
    const scene = this.link.get("scene").map((place) => [this.blocks.get(place.name), place]);
    return scene.filter(([block]) => block);
  }

  arrange(moved) {
    this.stage.finish();
    const placed = this.shown();
    const stay = new Set(placed.map(([block]) => block));
    for (const block of this.blocks.values()) if (!stay.has(block)) block.group.visible = false;
    for (const [block, place] of placed) this.put(block, place, moved && this.seen);
    this.light();
    this.overlay.write(placed, this.link.get("signs"));
    this.connect();
    if (moved) this.look(this.seen ? FLIGHT : 0);
    if (moved && this.seen) this.grow(this.blocks.get(this.link.get("current")));
    this.seen = true;
  }

  put(block, place, slowly) {
    const { group } = block;
    const [from, to] = [group.position.clone(), new Vector3(place.x, place.y, place.z)];
    const flies = slowly && group.visible;
    group.visible = true;
    block.faint = place.faint;
    block.setFlat(place.floor);
    group.rotation.x = place.floor ? Math.PI / 2 : 0; // rows to the back
    if (flies) this.stage.tween(FLIGHT, (share) => group.position.lerpVectors(from, to, share * share * (3 - 2 * share)));
    else group.position.copy(to);
  }

  grow(block) {
    if (!block) return;
    this.stage.tween(GROWTH, (share) => {
      block.grown = share;
      block.paint(this.palette);
    });
  }

  /** Colours of all blocks: where cells are lit, the others step back. */
  light() {
    const lit = this.link.get("lit");
    for (const [block] of this.shown()) {
      const own = lit.filter(({ name }) => name === block.record.name);
      block.paint(this.palette, lit.length ? own : null);
    }
  }

  connect() {
    this.tubes?.forEach((tube) => {
      tube.removeFromParent();
      tube.geometry.dispose();
    });
    this.thread ??= new MeshBasicMaterial({ transparent: true, opacity: 0.75 });
    this.thread.color.copy(this.palette.attention);
    this.tubes = this.link.get("links").map(({ path }) => {
      const curve = new CatmullRomCurve3(path.map((point) => new Vector3(...point)), false, "catmullrom", 0.35);
      return new Mesh(new TubeGeometry(curve, 40, 0.22, 6), this.thread);
    });
    if (this.tubes.length) this.stage.scene.add(...this.tubes);
  }

  /** The camera's first place for this scene. */
  look(ms) {
    const points = this.shown().flatMap(([block, place]) => corners(block, place));
    if (!points.length) return;
    const goal = this.stage.fit(points, this.link.get("yaw"), this.link.get("pitch"), 0.04);
    if (ms) this.stage.fly(goal, ms);
    else this.stage.aim(goal.target, goal.away);
  }

  mark() {
    const [name, row, column] = this.link.get("hover");
    const block = this.blocks.get(name);
    this.marker.remove();
    if (!block?.group.visible || row >= block.rows || column >= block.columns) return this.tip.hide();
    this.marker.material.color.copy(this.palette.focus);
    this.marker.put(block, row, column);
    this.showTip();
  }

  /** Also for a screen reader, and where there is no picture. */
  speak() {
    setText(this.spoken, this.cellText());
  }

  cellText() {
    const [name, row, column] = this.link.get("hover");
    const record = this.link.get("matrices").find((one) => one.name === name);
    const value = record?.values[row]?.[column];
    if (value === undefined) return "";
    const place = [record.row_labels[row] ?? row, record.column_labels[column] ?? column];
    return `${record.label} [${place.join(", ")}] = ${format(toNumber(value), 4)}`;
  }

  showTip() {
    const [name, row, column] = this.link.get("hover");
    const block = this.blocks.get(name);
    if (!block?.group.visible) return;
    const [x, y] = block.corner(row, column);
    const [left, top] = this.stage.project(block.group.localToWorld(new Vector3(x + WIDTH / 2, y + 1, block.depth(row, column))));
    const home = this.canvas.getBoundingClientRect();
    this.tip.showAbove(this.cellText(), new DOMRect(home.left + left, home.top + top, 0, 12));
  }

  /** Before each picture: what is written over it, and which numbers there is room for. */
  prepare() {
    const pixels = new Map(this.shown().map(([block]) => [block, this.cellSize(block)]));
    for (const [block, size] of pixels) block.showNumbers(size[0] >= READABLE && block.grown === 1, this.palette);
    this.overlay.place(this.stage, (block) => pixels.get(block)?.[1] ?? Infinity);
    this.picture.dataset.frames = this.stage.frames;
    if (!this.tip.element.hidden) this.showTip(); // it stays at its cell
  }

  /** Width and height of a block's cell in pixels of the page. */
  cellSize(block) {
    const at = (x, y) => this.stage.project(block.group.localToWorld(new Vector3(x, y, 0)));
    const [[left, top], [right, level], [, bottom]] = [at(0, 0), at(WIDTH, 0), at(0, -1)];
    return [Math.hypot(right - left, level - top), Math.abs(bottom - top)];
  }

  recolour() {
    this.palette.read();
    for (const block of this.blocks.values()) block.numbersAreOld = true;
    this.light();
    this.connect();
    this.mark();
    this.stage.request();
  }

  resize() {
    const { clientWidth, clientHeight } = this.picture;
    if (!this.stage || !clientWidth || `${clientWidth} ${clientHeight}` === this.size) return;
    if (!this.size) this.recolour(); // only now, in the page, are there colours to read
    this.size = `${clientWidth} ${clientHeight}`;
    this.stage.resize(clientWidth, clientHeight);
    this.look(0);
  }

  close() {
    this.themes?.disconnect();
    for (const block of this.blocks.values()) block.free();
    this.stage?.close();
  }
}

/** Points that a block in its place must be seen with: its corners, and room for what is written around it. */
function corners(block, { x, y, z, floor, rows, columns, caption }) {
  const aside = caption === "full" ? 1.8 : 0.3; // a name may be wider than its matrix
  const [left, right] = [x - (rows ? 2.2 : 0.3), x + block.width + aside];
  if (floor) return [[left, y, z], [right, y, z], [left, y, z - block.rows], [right, y, z - block.rows]].map(vector);
  const [top, bottom] = [y + (columns ? 2.6 : caption ? 1.6 : 0.2), y - block.rows];
  return [[left, top, 0], [right, top, 0], [left, bottom, 1], [right, bottom, 1]].map(vector);
}

function vector(point) {
  return new Vector3(...point);
}
