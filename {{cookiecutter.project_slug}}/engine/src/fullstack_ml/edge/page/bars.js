// A bar per label, as the page shows probabilities. Part of the page: see page.js.

import { tell } from "./language.js";

/** A share in percent. */
export const share = (value) => `${(100 * value).toFixed(1)} %`;

/** The row of one label; no bar where `probability` is undefined. `top` marks what is answered. */
export function row(name, title, probability, top) {
  const item = document.createElement("li");
  const [label, bar, fill, value] = ["span", "span", "i", "span"].map((tag) => document.createElement(tag));
  label.textContent = name;
  item.title = title;
  bar.className = "bar";
  bar.setAttribute("aria-hidden", "true");
  bar.append(fill);
  value.className = "value";
  if (probability !== undefined) {
    fill.style.width = `${100 * probability}%`;
    value.textContent = share(probability);
    item.classList.toggle("top", top);
  }
  item.append(label, bar, value);
  return item;
}

/** Put the list of bars into `root`; return the function that shows `rows`. */
export function bars(root) {
  const list = Object.assign(document.createElement("ol"), { id: "probabilities", ariaLabel: tell("Probability of each label") });
  root.append(list);
  return (rows) => list.replaceChildren(...rows);
}
