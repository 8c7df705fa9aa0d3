// A stand-in for the notebook's widget manager on a bare page: one model with traits, mounted by our bundle.
export class Model {
  constructor(state) {
    this.state = { ...state };
    this.listeners = [];
    this.changed = {};
    this.messages = []; // what Python would have received, one entry a message
  }

  get(name) {
    return this.state[name];
  }

  set(name, value) {
    this.state[name] = value;
    this.changed[name] = value;
    this.announce(name);
  }

  save_changes() {
    this.messages.push(structuredClone(this.changed));
    this.changed = {};
  }

  /** Traits set together, as when Python sends a message. */
  receive(traits) {
    Object.assign(this.state, structuredClone(traits));
    Object.keys(traits).forEach((name) => this.announce(name));
  }

  on(event, callback) {
    this.listeners.push([event, callback]);
  }

  off(event, callback) {
    this.listeners = this.listeners.filter(([e, c]) => e !== event || (callback && c !== callback));
  }

  announce(name) {
    for (const [event, callback] of [...this.listeners]) {
      if (event === "change" || event === `change:${name}`) callback();
    }
  }
}

export async function mount(state, parent) {
  const { default: widget } = await import(state.kind === "matrices" ? "./matrices.js" : "./views.js");
  const model = new Model(state);
  const el = document.createElement("div");
  parent.append(el);
  model.close = await widget.render({ model, el });
  model.el = el;
  return model;
}
