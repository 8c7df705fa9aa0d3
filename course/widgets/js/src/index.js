// Entry point of all views that are drawn with HTML and SVG.
import { Bars } from "./bars.js";
import { Curves } from "./curves.js";
import { Flow } from "./flow.js";
import { Formula } from "./formula.js";
import { renderer } from "./frame.js";
import { Heatmap } from "./heatmap.js";
import { Picker } from "./picker.js";
import { Plane } from "./plane.js";

const VIEWS = {
  bars: Bars, curves: Curves, flow: Flow, formula: Formula, heatmap: Heatmap, picker: Picker, plane: Plane,
};

export default { render: renderer(VIEWS) };
