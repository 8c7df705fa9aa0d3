// The wire between a view and its traits: repaint once a frame, send at most every 40 ms and always the last state.

const PAUSE = 40;

export class Link {
  constructor(model, paint) {
    this.model = model;
    this.paint = paint;
    this.frame = 0;
    this.timer = 0;
    this.sentAt = -PAUSE;
    this.repaint = this.repaint.bind(this);
    model.on("change", this.repaint);
  }

  get(name) {
    return this.model.get(name);
  }

  /** Set traits, draw them in this frame, tell Python. */
  set(changes) {
    for (const [name, value] of Object.entries(changes)) this.model.set(name, value);
    this.repaint();
    this.send();
  }

  repaint() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.paint();
    });
  }

  send() {
    if (this.timer) return;
    const wait = Math.max(0, this.sentAt + PAUSE - performance.now());
    if (wait) this.timer = setTimeout(() => this.sendNow(), wait);
    else this.sendNow();
  }

  sendNow() {
    this.timer = 0;
    this.sentAt = performance.now();
    this.model.save_changes();
  }

  close() {
    this.model.off("change", this.repaint);
    cancelAnimationFrame(this.frame);
    if (!this.timer) return;
    clearTimeout(this.timer);
    this.sendNow();
  }
}
