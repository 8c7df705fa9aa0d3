// Entry point of the view in three dimensions: a bundle of its own, so that no other lesson loads three.js.
import { renderer } from "./frame.js";
import { Matrices } from "./matrices/view.js";

export default { render: renderer({ matrices: Matrices }) };
