// Writing a chosen answer into the student's answer cell of a JupyterLab notebook. Nothing else is ever written.

/** Python's spelling of the chosen keys: "b" or ["a", "c"]. */
export function pythonAnswer(chosen, multiple) {
  const quoted = chosen.map((key) => JSON.stringify(key));
  return multiple ? `[${quoted.join(", ")}]` : quoted[0] ?? '""';
}

/** Put `answer` to the right of `variable =` in the nearest code cell above `element`. False if there is none. */
export function writeAnswer(element, variable, answer) {
  for (const view of editorsAbove(element)) {
    const change = findAssignment(view.state.doc.toString(), variable);
    if (!change) continue;
    if (change === "unclear" || view.state.readOnly) return false;
    view.dispatch({ changes: { ...change, insert: answer }, userEvent: "input" });
    return true;
  }
  return false;
}

/** The CodeMirror views of the code cells above the cell that holds `element`, nearest first. */
function* editorsAbove(element) {
  const cells = [...(element.closest(".jp-Notebook")?.querySelectorAll(".jp-Cell") ?? [])];
  const own = cells.findIndex((cell) => cell.contains(element));
  for (const cell of cells.slice(0, Math.max(0, own)).reverse()) {
    const view = cell.matches(".jp-CodeCell") && editorIn(cell);
    if (view) yield view;
  }
}

function editorIn(cell) {
  const content = cell.querySelector(".jp-InputArea .cm-content");
  return content?.cmTile?.view ?? content?.cmView?.view ?? content?.cmView?.rootView?.view;
}

/** { from, to } of the last assignment's right-hand side, null if there is none, "unclear" if it is not one line. */
export function findAssignment(source, variable) {
  const found = [...source.matchAll(new RegExp(`^${variable}[ \\t]*=(?!=)[ \\t]*(.*)$`, "gm"))].pop();
  if (!found) return null;
  const length = expressionLength(found[1]);
  if (length < 0) return "unclear";
  const from = found.index + found[0].length - found[1].length;
  return { from, to: from + length };
}

/** Length of the expression before a trailing comment; -1 if it goes on in the next line. */
function expressionLength(text) {
  if (/"""|'''/.test(text)) return -1;
  const code = text.match(/^(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^#"'])*/)[0];
  const rest = text.slice(code.length);
  const bare = code.replace(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/g, "");
  const opened = (bare.match(/[([{]/g) ?? []).length - (bare.match(/[)\]}]/g) ?? []).length;
  if (opened !== 0 || code.endsWith("\\") || (rest && !rest.startsWith("#"))) return -1;
  return code.trimEnd().length;
}
