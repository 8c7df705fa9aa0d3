// Camera, orbit and drawing. Draws only when something changed and only while it can be seen; while it moves, with as
// many pixels as this machine manages smoothly.
import { Box3, ColorManagement, LinearSRGBColorSpace, PerspectiveCamera, Raycaster, Scene, Vector2, Vector3, WebGLRenderer } from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { clamp } from "../numbers.js";

const STILL = 160; // ms without a change until all pixels are drawn
const SLOW = 45; // ms a frame: draw fewer pixels
const QUICK = 14; // ms a frame: draw more
const FEWEST = 0.5; // pixels of the drawing for one of the page

export class Stage {
  constructor(canvas, prepare) {
    ColorManagement.enabled = false; // colours come ready from the style sheet
    this.renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true });
    this.renderer.outputColorSpace = LinearSRGBColorSpace;
    this.prepare = prepare; // called before each picture
    this.scene = new Scene();
    this.camera = new PerspectiveCamera(20, 2, 1, 4000);
    this.controls = this.orbit(canvas);
    this.ray = new Raycaster();
    this.tweens = [];
    this.frame = 0;
    this.frames = 0;
    this.ratio = this.finest;
    this.visible = true;
    this.movedAt = -STILL;
    this.tick = this.tick.bind(this);
    this.watcher = new IntersectionObserver((seen) => this.see(seen.at(-1).isIntersecting));
    this.watcher.observe(canvas);
  }

  get finest() {
    return Math.min(2, devicePixelRatio);
  }

  /** Dragging turns, Ctrl and the wheel zoom: the wheel alone scrolls the notebook. */
  orbit(canvas) {
    const controls = new OrbitControls(this.camera, canvas);
    Object.assign(controls, { enableDamping: false, enableZoom: false, maxPolarAngle: 2.6, minPolarAngle: 0.3 });
    canvas.style.touchAction = "pan-y";
    controls.addEventListener("change", () => this.move());
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    return controls;
  }

  wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.zoom(event.deltaY > 0 ? 1.1 : 1 / 1.1);
  }

  zoom(factor) {
    const away = this.camera.position.clone().sub(this.controls.target);
    this.aim(this.controls.target, away.multiplyScalar(clamp(factor, 0.2, 5)));
  }

  /** Turn by angles in radians. */
  turn(right, up) {
    const away = this.camera.position.clone().sub(this.controls.target);
    const [distance, yaw, pitch] = [away.length(), Math.atan2(away.x, away.z), Math.asin(away.y / away.length())];
    this.aim(this.controls.target, direction(yaw + right, clamp(pitch + up, -1, 1.3)).multiplyScalar(distance));
  }

  aim(target, away) {
    this.controls.target.copy(target);
    this.camera.position.copy(target).add(away);
    this.camera.lookAt(target);
    this.move();
  }

  // ---- the time between two pictures ----

  move() {
    this.movedAt = performance.now();
    this.request();
  }

  request() {
    this.changed = true;
    if (this.visible) this.frame ||= requestAnimationFrame(this.tick);
  }

  see(visible) {
    this.visible = visible;
    if (visible && this.changed) this.request();
  }

  tick(now) {
    this.frame = 0;
    this.changed = false;
    this.advance(now);
    this.adapt(now);
    this.camera.updateMatrixWorld();
    this.frames += 1;
    this.prepare();
    this.renderer.render(this.scene, this.camera);
    this.last = now;
    if (this.tweens.length) this.move();
    else if (this.ratio !== this.finest) this.later();
  }

  /** Once nothing moves any more, one picture with all pixels. */
  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.request(), STILL);
  }

  adapt(now) {
    const moving = now - this.movedAt < STILL;
    const pause = now - (this.last ?? 0);
    if (moving && pause < 4 * STILL) {
      if (pause > SLOW) this.moving = Math.max(FEWEST, (this.moving ?? this.finest) * 0.8);
      else if (pause < QUICK) this.moving = Math.min(this.finest, (this.moving ?? this.finest) * 1.1);
    }
    this.setRatio(moving ? this.moving ?? this.finest : this.finest);
  }

  setRatio(ratio) {
    if (ratio === this.ratio) return;
    this.ratio = ratio;
    this.renderer.setPixelRatio(ratio);
  }

  resize(width, height) {
    this.renderer.setPixelRatio(this.ratio);
    this.renderer.setSize(width, height, false);
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
    this.request();
  }

  // ---- from one state to the next ----

  /** Call `change` with 0 to 1 in the course of `ms`; at once with 1 for those who asked for less motion. */
  tween(ms, change) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) change(1);
    else this.tweens.push({ ms, change });
    this.move();
  }

  advance(now) {
    this.tweens = this.tweens.filter((tween) => {
      tween.start ??= now;
      const share = Math.min(1, (now - tween.start) / tween.ms);
      tween.change(share);
      return share < 1;
    });
  }

  finish() {
    for (const tween of this.tweens) tween.change(1);
    this.tweens = [];
  }

  // ---- where to look from ----

  /** See all points from a direction, in the middle of the picture; `room` is left around, in shares of the picture. */
  fit(points, yaw, pitch, room) {
    const camera = this.camera.clone();
    const box = new Box3().setFromPoints(points);
    const target = box.getCenter(new Vector3());
    const towards = direction(yaw, pitch);
    let distance = 2 * box.getSize(new Vector3()).length();
    for (let round = 0; round < 8; round += 1) {
      camera.position.copy(target).addScaledVector(towards, distance);
      camera.lookAt(target);
      camera.updateMatrixWorld();
      const { x, y } = seen(points, camera);
      const half = Math.tan((camera.fov * Math.PI) / 360) * distance;
      target.addScaledVector(new Vector3().setFromMatrixColumn(camera.matrixWorld, 0), ((x[0] + x[1]) / 2) * half * camera.aspect);
      target.addScaledVector(new Vector3().setFromMatrixColumn(camera.matrixWorld, 1), ((y[0] + y[1]) / 2) * half);
      distance *= Math.max(x[1] - x[0], y[1] - y[0]) / (2 - 2 * room);
    }
    return { target, away: towards.multiplyScalar(distance) };
  }

  fly({ target, away }, ms) {
    const [from, before] = [this.controls.target.clone(), this.camera.position.clone().sub(this.controls.target)];
    this.tween(ms, (share) => {
      const eased = share * share * (3 - 2 * share);
      this.aim(from.clone().lerp(target, eased), before.clone().lerp(away, eased));
    });
  }

  /** The mesh under a point of the page: { object, instanceId } or undefined. */
  pick(x, y, meshes) {
    const box = this.renderer.domElement.getBoundingClientRect();
    const point = new Vector2(((x - box.left) / box.width) * 2 - 1, 1 - ((y - box.top) / box.height) * 2);
    this.ray.setFromCamera(point, this.camera);
    return this.ray.intersectObjects(meshes, false)[0];
  }

  /** Where a point of the scene is on the canvas, in pixels of the page. */
  project(point) {
    const { clientWidth, clientHeight } = this.renderer.domElement;
    const { x, y } = point.project(this.camera);
    return [((x + 1) / 2) * clientWidth, ((1 - y) / 2) * clientHeight];
  }

  close() {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
    this.watcher.disconnect();
    this.controls.dispose();
    this.renderer.dispose();
    this.renderer.forceContextLoss();
  }
}

function direction(yaw, pitch) {
  return new Vector3(Math.sin(yaw) * Math.cos(pitch), Math.sin(pitch), Math.cos(yaw) * Math.cos(pitch));
}

/** The ends of what points take up in the picture, -1 to 1 both ways. */
function seen(points, camera) {
  const there = points.map((point) => point.clone().project(camera));
  const ends = (axis) => [Math.min(...there.map((p) => p[axis])), Math.max(...there.map((p) => p[axis]))];
  return { x: ends("x"), y: ends("y") };
}

export { Vector3 };
