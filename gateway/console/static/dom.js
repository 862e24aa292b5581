// Elements without markup: text stays text, whatever an operator or a file has written into it.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

export const el = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);
export const svg = (name, attributes = {}, ...children) => fill(document.createElementNS(SVG, name), attributes, children);
export const byId = (id) => document.getElementById(id);

export function button(text, onclick, attributes = {}) {
  return el("button", { type: "button", onclick, ...attributes }, text);
}

// One of several, as buttons that say which one is pressed. Drawn again they stay the same, so that none loses the focus.
export function choice(box, options, chosen, onchoose) {
  if (box.children.length !== options.length) box.replaceChildren(...options.map(() => button("", null)));
  options.forEach(({ value, text, label, disabled = false }, index) => {
    const each = box.children[index];
    setText(each, text);
    if (label) each.setAttribute("aria-label", label);
    each.setAttribute("aria-pressed", String(value === chosen));
    each.disabled = disabled;
    each.onclick = () => onchoose(value);
  });
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
