// The card of a check question: native radio buttons or check boxes, an explanation under each chosen option.
import { pythonAnswer, writeAnswer } from "./answer_cell.js";
import { classes, html, set, setText, withCode } from "./dom.js";

let pickers = 0;

export class Picker {
  constructor(link) {
    this.link = link;
    this.group = `cw-picker-${++pickers}`;
    this.options = [];
    this.question = html("legend", { class: "cw-question" });
    this.list = html("div", { class: "cw-options" });
    this.status = html("p", { class: "cw-saved", role: "status" });
    this.element = html("fieldset", { class: "cw-picker" }, this.question, this.list, this.status);
  }

  paint() {
    this.paintOptions();
    const chosen = this.link.get("chosen");
    const feedback = this.link.get("feedback");
    this.options.forEach((option) => option.paint(chosen.includes(option.key), feedback[option.key]));
    this.paintStatus(chosen);
  }

  paintOptions() {
    const [question, options, multiple] = ["question", "options", "multiple"].map((name) => this.link.get(name));
    const text = JSON.stringify([question, options, multiple]);
    if (text === this.painted) return;
    this.painted = text;
    this.question.replaceChildren(...withCode(question));
    this.options = options.map((option) => new Option(option, multiple, this.group, () => this.choose()));
    this.list.replaceChildren(...this.options.map((option) => option.element));
  }

  choose() {
    const chosen = this.options.filter((option) => option.input.checked).map((option) => option.key);
    const variable = this.link.get("variable");
    const answer = pythonAnswer(chosen, this.link.get("multiple"));
    const saved = Boolean(variable) && writeAnswer(this.element, variable, answer);
    this.link.set({ chosen, saved });
  }

  paintStatus(chosen) {
    const variable = this.link.get("variable");
    const line = `${variable} = ${pythonAnswer(chosen, this.link.get("multiple"))}`;
    const saved = this.link.get("saved");
    const text = saved ? `Kept in the answer cell: \`${line}\`` : `Write \`${line}\` in the answer cell to keep it.`;
    if (text === this.statusText) return;
    this.statusText = text;
    this.status.replaceChildren(...withCode(text));
    set(this.status, { class: classes("cw-saved", saved && "cw-done"), hidden: !variable || !chosen.length });
  }
}

class Option {
  constructor({ key, text }, multiple, group, onchange) {
    this.key = key;
    const type = multiple ? "checkbox" : "radio";
    this.reasonId = `${group}-${key}`;
    this.input = html("input", { type, name: group, value: key, onchange });
    this.mark = html("span", { class: "cw-mark", "aria-hidden": "true" });
    this.verdict = html("strong");
    this.reason = html("span");
    this.feedback = html("div", { class: "cw-feedback", id: this.reasonId }, this.verdict, this.reason);
    const letter = html("b", { class: "cw-letter" }, key);
    const label = html("label", {}, this.input, letter, html("span", {}, withCode(text)), this.mark);
    this.element = html("div", { class: "cw-option" }, label, this.feedback);
  }

  paint(chosen, feedback) {
    const judged = chosen && feedback;
    this.input.checked = chosen;
    set(this.input, { "aria-describedby": judged ? this.reasonId : null });
    set(this.feedback, { hidden: !judged });
    setText(this.mark, judged ? (feedback.right ? "\u2713" : "\u2715") : "");
    setText(this.verdict, judged ? verdictWord(feedback) : "");
    this.reason.replaceChildren(...withCode(judged ? feedback.text : ""));
    const verdict = judged && (feedback.right ? "cw-right" : "cw-not-right");
    set(this.element, { class: classes("cw-option", chosen && "cw-chosen", verdict) });
  }
}

/** The verdict in words, unless the explanation begins with it anyway. */
function verdictWord({ right, text }) {
  if (/^(Right|Yes|No|Not)\b/.test(text)) return "";
  return right ? "Right. " : "Not this one. ";
}
