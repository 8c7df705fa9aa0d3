// One matrix as tiles: colour and height are the number, which stands on the tile where there is room for it.
import {
  BoxGeometry, BufferAttribute, BufferGeometry, CanvasTexture, Color, DoubleSide, Group, InstancedMesh, Matrix4, Mesh,
  MeshBasicMaterial, PlaneGeometry, Quaternion, Vector3,
} from "three";
import { format, toNumber } from "../numbers.js";

export const WIDTH = 1.5; // of a cell; its height is 1
const GAP = 0.1;
const FLAT = 0.12; // height of a tile whose number is 0
const TALL = 0.9; // more for the largest
const PIXELS = [72, 48]; // of a number's picture
const SHADES = [0.72, 0.86, 0.94, 0.6, 1]; // right, left, top, bottom, front: a light without lamps
const DOTS = 8; // pixels of a cell in the picture of a flat matrix

const TILE = shadedBox();
const TILES = new MeshBasicMaterial({ vertexColors: true });

/** A cube without a back, its faces shaded once for all: cheap where the processor draws. */
function shadedBox() {
  const box = new BoxGeometry(1, 1, 1).translate(0, 0, 0.5);
  const shades = SHADES.flatMap((shade) => Array(12).fill(shade)); // four corners, three channels
  const index = [...box.index.array].slice(0, 6 * SHADES.length);
  for (const name of ["position", "uv"]) {
    const { array, itemSize } = box.attributes[name];
    box.setAttribute(name, new BufferAttribute(array.slice(0, 4 * SHADES.length * itemSize), itemSize));
  }
  box.deleteAttribute("normal");
  box.clearGroups();
  return box.setIndex(index).setAttribute("color", new BufferAttribute(new Float32Array(shades), 3));
}

export class Block {
  constructor() {
    this.group = new Group();
    this.group.visible = false;
    this.grown = 1;
    this.lit = null;
  }

  get height() {
    return this.rows;
  }

  get width() {
    return this.columns * WIDTH;
  }

  /** Take a matrix as Python sent it. */
  show(record) {
    this.record = record;
    this.values = record.values.map((row) => row.map(toNumber));
    const [rows, columns] = [this.values.length, this.values[0].length];
    if (rows !== this.rows || columns !== this.columns) this.build(rows, columns);
    const known = this.values.flat().filter(Number.isFinite).map(Math.abs);
    this.scale = record.signed ? Math.max(1e-9, ...known) : 1;
    this.numbersAreOld = true;
  }

  build(rows, columns) {
    this.free();
    [this.rows, this.columns] = [rows, columns];
    this.mesh = this.flat ? this.sheet() : new InstancedMesh(TILE, TILES, rows * columns);
    this.mesh.userData.block = this;
    this.mesh.frustumCulled = false;
    this.group.add(this.mesh);
  }

  /** A flat matrix is one rectangle with a picture: hundreds of tiles less to draw. */
  setFlat(flat) {
    if (flat === Boolean(this.flat)) return;
    this.flat = flat;
    this.build(this.rows, this.columns);
  }

  sheet() {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [this.columns * DOTS, this.rows * DOTS];
    const plane = new PlaneGeometry(this.width, this.height).translate(this.width / 2, -this.height / 2, 0);
    return new Mesh(plane, new MeshBasicMaterial({ map: new CanvasTexture(canvas), side: DoubleSide }));
  }

  paintSheet(palette) {
    const texture = this.mesh.material.map;
    const brush = texture.image.getContext("2d");
    brush.fillStyle = `#${palette.surface.getHexString()}`;
    brush.fillRect(0, 0, texture.image.width, texture.image.height);
    this.eachCell((row, column) => {
      brush.fillStyle = `#${this.colour(palette, row, column).getHexString()}`;
      brush.fillRect(column * DOTS, row * DOTS, DOTS - 1, DOTS - 1);
    });
    texture.needsUpdate = true;
  }

  /** The cell that a ray met. */
  cellOf({ instanceId, uv }) {
    if (!this.flat) return [Math.floor(instanceId / this.columns), instanceId % this.columns];
    return [Math.floor((1 - uv.y) * this.rows), Math.floor(uv.x * this.columns)];
  }

  /** The corner of a cell, from the block's upper left corner; y goes up. */
  corner(row, column) {
    return [column * WIDTH, -row - 1];
  }

  depth(row, column) {
    if (this.flat) return 0;
    const value = this.values[row][column];
    return FLAT + (Number.isFinite(value) ? TALL * Math.min(1, Math.abs(value) / this.scale) : 0);
  }

  isLit(row, column) {
    if (!this.lit) return true;
    return this.lit.some(({ rows, columns }) => row >= rows[0] && row < rows[1] && column >= columns[0] && column < columns[1]);
  }

  /** Put colours and heights where they belong; `lit` are rectangles of cells, or null for all. */
  paint(palette, lit = this.lit) {
    if (lit !== this.lit) this.numbersAreOld = true; // black or white, by the colour behind them
    this.lit = lit;
    if (this.flat) return this.paintSheet(palette);
    const [matrix, turn, scale, place] = [new Matrix4(), new Quaternion(), new Vector3(), new Vector3()];
    this.eachCell((row, column, index) => {
      const [x, y] = this.corner(row, column);
      place.set(x + WIDTH / 2, y + 0.5, 0);
      scale.set(WIDTH - GAP, 1 - GAP, Math.max(0.01, this.depth(row, column) * this.grownAt(row)));
      this.mesh.setMatrixAt(index, matrix.compose(place, turn, scale));
      this.mesh.setColorAt(index, this.colour(palette, row, column));
    });
    this.mesh.instanceMatrix.needsUpdate = true;
    this.mesh.instanceColor.needsUpdate = true;
    this.mesh.computeBoundingSphere();
  }

  eachCell(react) {
    for (let row = 0; row < this.rows; row += 1) {
      for (let column = 0; column < this.columns; column += 1) react(row, column, row * this.columns + column);
    }
  }

  colour(palette, row, column) {
    const colour = palette.tile(this.values[row][column] / this.scale, this.record.signed);
    return this.isLit(row, column) && !this.faint ? colour : palette.hidden(colour);
  }

  /** While the block grows, the rows come one after another. */
  grownAt(row) {
    const late = (row / this.rows) * 0.6;
    return Math.min(1, Math.max(0, (this.grown - late) / 0.4));
  }

  // ---- the numbers on the tiles ----

  showNumbers(visible, palette) {
    if (!visible) {
      if (this.numbers) this.numbers.visible = false;
      return;
    }
    if (this.numbersAreOld || !this.numbers) this.writeNumbers(palette);
    this.numbers.visible = true;
  }

  writeNumbers(palette) {
    this.numbersAreOld = false;
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [this.columns * PIXELS[0], this.rows * PIXELS[1]];
    const brush = canvas.getContext("2d");
    Object.assign(brush, { textAlign: "center", textBaseline: "middle", font: `500 25px ${palette.family}` });
    this.eachCell((row, column) => this.writeNumber(brush, palette, row, column));
    this.freeNumbers();
    const texture = new CanvasTexture(canvas);
    texture.anisotropy = 4;
    this.numbers = new Mesh(this.faces(), new MeshBasicMaterial({ map: texture }));
    this.group.add(this.numbers);
  }

  writeNumber(brush, palette, row, column) {
    const colour = this.colour(palette, row, column);
    const [x, y] = [column * PIXELS[0], row * PIXELS[1]];
    brush.fillStyle = `#${colour.getHexString()}`;
    brush.fillRect(x, y, ...PIXELS);
    if (this.record.wrong[row]?.[column]) this.markWrong(brush, palette, x, y);
    brush.fillStyle = palette.inkOn(colour);
    brush.fillText(format(this.values[row][column], 2), x + PIXELS[0] / 2, y + 0.53 * PIXELS[1], PIXELS[0] - 8);
  }

  markWrong(brush, palette, x, y) {
    brush.strokeStyle = `#${palette.bad.getHexString()}`;
    brush.lineWidth = 5;
    brush.setLineDash([8, 4]);
    brush.strokeRect(x + 3, y + 3, PIXELS[0] - 6, PIXELS[1] - 6);
  }

  /** A square on the top of every tile, with its part of the picture. */
  faces() {
    const [places, parts, corners] = [[], [], []];
    this.eachCell((row, column, index) => {
      const [x, y] = this.corner(row, column);
      const z = this.depth(row, column) + 0.02;
      for (const [right, up] of [[0, 0], [1, 0], [1, 1], [0, 1]]) {
        places.push(x + GAP / 2 + right * (WIDTH - GAP), y + GAP / 2 + up * (1 - GAP), z);
        parts.push((column + right) / this.columns, 1 - (row + 1 - up) / this.rows);
      }
      corners.push(...[0, 1, 2, 0, 2, 3].map((corner) => 4 * index + corner));
    });
    const geometry = new BufferGeometry().setIndex(corners);
    geometry.setAttribute("position", new BufferAttribute(new Float32Array(places), 3));
    return geometry.setAttribute("uv", new BufferAttribute(new Float32Array(parts), 2));
  }

  freeNumbers() {
    if (!this.numbers) return;
    this.group.remove(this.numbers);
    this.numbers.geometry.dispose();
    this.numbers.material.map.dispose();
    this.numbers.material.dispose();
    this.numbers = null;
  }

  free() {
    this.freeNumbers();
    if (!this.mesh) return;
    this.group.remove(this.mesh);
    this.mesh.dispose?.(); // tiles
    this.mesh.material.map?.dispose(); // a sheet
  }
}

/** A frame around one cell, which marks where the pointer or the keyboard is. */
export class Marker {
  constructor() {
    const thick = 0.12;
    this.material = new MeshBasicMaterial({ color: new Color() });
    this.group = new Group();
    const bars = [[0, 0, WIDTH, thick], [0, 1 - thick, WIDTH, thick], [0, 0, thick, 1], [WIDTH - thick, 0, thick, 1]];
    for (const [x, y, width, height] of bars) {
      const box = new BoxGeometry(width, height, 0.1).translate(x + width / 2, y + height / 2, 0.05);
      this.group.add(new Mesh(box, this.material));
    }
  }

  put(block, row, column) {
    const [x, y] = block.corner(row, column);
    this.group.position.set(x, y, block.depth(row, column));
    block.group.add(this.group);
  }

  remove() {
    this.group.removeFromParent();
  }
}
