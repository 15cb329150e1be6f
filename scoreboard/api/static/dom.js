// Elements, made without a word of markup.

/** An element with these properties: `make("a", { href: "/" }, "home")`. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  Object.assign(element, properties);
  element.append(...children);
  return element;
}

/** Gives the parent these children. One like that which it has in the same place stays, so that a press
 * which began on it is still a click at its end, and the focus remains. Where another takes its place, the
 * focus passes to that one's link. */
export function setChildren(parent, ...children) {
  const had = [...parent.childNodes];
  for (const [place, child] of children.entries()) {
    const old = had[place];
    if (!old) parent.append(child);
    else if (!old.isEqualNode(child)) {
      const held = old.contains(document.activeElement);
      old.replaceWith(child);
      if (held) (child.matches("a") ? child : child.querySelector("a"))?.focus();
    }
  }
  for (const gone of had.slice(children.length)) gone.remove();
}

/** An SVG element with these attributes. */
export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
