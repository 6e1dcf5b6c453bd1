// Elements from values. Text becomes text, never HTML: what a dataset holds cannot run here.

/** An element: h("a.quiet#id", {href: "#/data", onclick: f}, "text", child, [children], null). */
export function h(tag, props, ...children) {
  const [, name, rest] = /^([a-z0-9-]+)(.*)$/i.exec(tag);
  const element = document.createElement(name);
  for (const [, kind, word] of rest.matchAll(/([.#])([\w-]+)/g)) {
    if (kind === ".") element.classList.add(word);
    else element.id = word;
  }
  if (props === null || props === undefined || isChild(props)) children.unshift(props);
  else setProps(element, props);
  append(element, children);
  return element;
}

function isChild(value) {
  return value instanceof Node || Array.isArray(value) || typeof value !== "object";
}

function setProps(element, props) {
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class") element.classList.add(...value.split(" ").filter(Boolean));
    else if (key === "style") setStyle(element, value);
    else if (key === "dataset") Object.assign(element.dataset, value);
    else if (key === "value" && "value" in element) element.value = value;
    else if (key === "checked" || key === "selected" || key === "indeterminate") element[key] = value;
    else element.setAttribute(key, value === true ? "" : String(value));
  }
}

/** Styles by the object model, which the content security policy allows; attributes it forbids. */
export function setStyle(element, styles) {
  for (const [name, value] of Object.entries(styles)) element.style.setProperty(name, value);
}

/** Put children after what is there; null, undefined and false put nothing. */
export function append(element, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

/** Put children in the place of what is there. */
export function fill(element, ...children) {
  element.replaceChildren();
  return append(element, ...children);
}

/** Say something to a screen reader without moving the focus. */
export function announce(text) {
  const announcer = document.getElementById("announcer");
  announcer.textContent = "";
  // The same words twice are only read twice if they were gone in between.
  setTimeout(() => (announcer.textContent = text), 50);
}

let lastId = 0;

/** An id that no other element of this page has. */
export function uid(prefix = "e") {
  lastId += 1;
  return `${prefix}-${lastId}`;
}
