// The frame around a view (title, note, "course's version"), and its life.
import { nameControls } from "./controls.js";
import { classes, html, set, setText } from "./dom.js";
import { guardKeys } from "./keys.js";
import { Link } from "./link.js";

class Frame {
  constructor() {
    this.title = html("div", { class: "cw-title", role: "heading", "aria-level": 3 });
    this.badge = html("div", { class: "cw-badge" }, "course\u2019s version");
    this.head = html("div", { class: "cw-head" }, this.title, this.badge);
    this.body = html("div", { class: "cw-body" });
    this.note = html("p", { class: "cw-note" });
    this.element = html("div", { class: "cw-frame", role: "group" }, this.head, this.body, this.note);
  }

  paint(link) {
    const [title, note, greyed] = ["title", "note", "greyed"].map((name) => link.get(name));
    setText(this.title, title);
    setText(this.note, note);
    set(this.title, { hidden: !title });
    set(this.badge, { hidden: !greyed });
    set(this.head, { hidden: !title });
    set(this.note, { hidden: !note });
    set(this.body, { class: classes("cw-body", greyed && "cw-greyed") });
    set(this.element, { "aria-label": link.get("description") || title || link.get("kind") });
  }
}

/** Call `arrived` whenever the element gets a size: first when it comes into the page. */
function watchSize(element, arrived) {
  const observer = new ResizeObserver(arrived);
  observer.observe(element);
  return observer;
}

/** What anywidget calls to show a model, for a bundle that knows these kinds of view. */
export function renderer(views) {
  return function render({ model, el }) {
    const frame = new Frame();
    const link = new Link(model, paint);
    const view = new views[model.get("kind")](link);
    function paint() {
      frame.paint(link);
      view.paint();
    }
    frame.body.append(view.element);
    el.classList.add("cw-view", `cw-view-${model.get("kind")}`);
    el.append(frame.element);
    guardKeys(el);
    paint();
    const observer = watchSize(frame.element, () => {
      const card = el.closest(".course-widget");
      guardKeys(card);
      nameControls(card);
      view.resize?.();
    });
    return () => {
      observer.disconnect();
      link.close();
      view.close?.();
    };
  };
}
