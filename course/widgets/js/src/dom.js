// Making and changing elements. Attributes: "onclick" etc. add listeners; null and false leave the attribute out.

const SVG = "http://www.w3.org/2000/svg";

export function html(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  set(element, attributes ?? {});
  element.append(...children.flat());
  return element;
}

export function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else setAttribute(element, name, value);
  }
}

function setAttribute(element, name, value) {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Class names from an array in which false and "" stand for nothing. */
export function classes(...names) {
  return names.filter(Boolean).join(" ");
}

/** Grow or shrink `parts` (objects with an `element`) to `count`, so that what stays keeps focus and pointer. */
export function matchLength(parts, count, parent, create) {
  while (parts.length > count) parts.pop().element.remove();
  while (parts.length < count) {
    const part = create(parts.length);
    parts.push(part);
    parent.append(part.element);
  }
}

export function hiddenText(text) {
  return html("span", { class: "cw-hidden" }, text);
}

/** Plain text with `code` in backticks, as nodes. */
export function withCode(text) {
  return text.split("`").map((part, i) => (i % 2 ? html("code", {}, part) : part));
}
