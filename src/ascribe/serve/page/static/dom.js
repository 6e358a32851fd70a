// Elements, made by name. A text is set as a text: nothing that comes from data ever becomes HTML.

/** el("p.quiet", {id: "a", onclick: f}, "text", other) -> an element. `null` children and attributes are left out. */
export function el(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  return dress(document.createElement(tag), classes, attributes, children);
}

/** The same in SVG. */
export function svg(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  return dress(document.createElementNS("http://www.w3.org/2000/svg", tag), classes, attributes, children);
}

function dress(made, classes, attributes, children) {
  if (classes.length) made.classList.add(...classes);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "value") made.value = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** Names of data keep their own direction, whatever language stands around them. */
export function named(text, most = 60) {
  const all = [...(String(text).trim() ? String(text) : JSON.stringify(String(text)))]; // a blank name is to be seen
  const short = all.length > most ? `${all.slice(0, most - 1).join("")}…` : all.join("");
  return el("bdi.name", all.length > most ? { title: String(text) } : {}, short);
}

/** The same as plain text, for where no element can be. */
export function clipped(text, most = 24) {
  const all = [...String(text)];
  return all.length > most ? `${all.slice(0, most - 1).join("")}…` : all.join("");
}
