// What the harness needs inside JupyterLab's page; lab.py calls these through window.harness.
// JupyterLab is started with --LabApp.expose_app_in_browser, so its application is window.jupyterapp.
window.harness = {
  panel: null,

  async open(path) {
    const app = window.jupyterapp;
    await app.restored;
    const panel = await app.commands.execute("docmanager:open", { path, factory: "Notebook" });
    await panel.context.ready;
    await panel.sessionContext.ready;
    await panel.revealed;
    this.panel = panel;
  },

  async close() {
    await this.panel.sessionContext.shutdown();
    await this.save(); // or JupyterLab would ask what to do with what was changed
    this.panel.dispose();
    this.panel = null;
  },

  async theme(name) {
    await window.jupyterapp.commands.execute("apputils:change-theme", { theme: name });
  },

  kernel() {
    return this.panel.sessionContext.session.kernel;
  },

  // A shell request that the kernel answers after all that came before, then its status, then one painted frame.
  async idle() {
    await this.kernel().requestKernelInfo();
    while (this.kernel().status !== "idle") await new Promise((done) => setTimeout(done, 20));
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  },

  async runAll() {
    await window.jupyterapp.commands.execute("notebook:run-all-cells");
    await this.idle();
  },

  async runCell(index) {
    const notebook = this.panel.content;
    notebook.deselectAll();
    notebook.activeCellIndex = index;
    await window.jupyterapp.commands.execute("notebook:run-cell");
    await this.idle();
  },

  setCell(index, source) {
    this.panel.content.widgets[index].model.sharedModel.setSource(source);
  },

  cells() {
    return this.panel.content.widgets.map((cell) => cell.model.sharedModel.toJSON());
  },

  async save() {
    await this.panel.context.save();
  },

  // The value of an expression in the notebook's own kernel, as JSON text.
  async evaluate(expression) {
    const asked = { code: "", user_expressions: { value: expression }, store_history: false };
    const reply = await this.kernel().requestExecute(asked).done;
    const value = reply.content.user_expressions.value;
    if (value.status === "error") throw new Error(`${value.ename}: ${value.evalue}`);
    return value.data["text/plain"];
  },
};
