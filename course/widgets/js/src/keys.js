// JupyterLab runs its command-mode shortcuts for any focused element that is no text field: arrows leave a slider,
// "d d" deletes the cell. Keys pressed inside a widget stop at its root; Tab, Escape and Ctrl/Cmd keys pass.

const GUARDED = Symbol.for("course-widget-guarded");

export function guardKeys(root) {
  if (!root || root[GUARDED]) return;
  root[GUARDED] = true;
  root.addEventListener("keydown", (event) => {
    const passes = event.ctrlKey || event.metaKey || event.key === "Escape" || event.key === "Tab";
    if (!passes) event.stopPropagation();
  });
}
