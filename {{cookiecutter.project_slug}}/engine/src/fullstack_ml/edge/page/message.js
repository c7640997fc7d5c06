// The input of a text product: a box to write in, which is answered while one writes.

import { tell } from "./language.js";
import { encode, fault } from "./letters.js";
import { encodeAll, mount as mountWords, omissions } from "./words.js";

const PAUSE = 200; // milliseconds without a key, after which what stands there is asked

/**
 * Put the box into `root`; return what to tell the reader to do.
 * Calls `give(values)` for a text, `ask(values, count)` for the same without each word, which are marked in `aside`,
 * `fail(error)`, and `clear()`.
 */
export function mount(root, aside, description, { give, ask: askAll, fail, clear }) {
  const length = description.input.length ?? 300; // LENGTH in product/formulation.py
  const made = (tag, properties) => Object.assign(document.createElement(tag), properties);
  const label = made("label", { htmlFor: "message", textContent: description.input.meaning });
  const box = made("textarea", { id: "message", rows: 5, dir: "auto", spellcheck: false });
  const count = made("small", { id: "count" });
  box.setAttribute("aria-describedby", "count");
  const wipe = made("button", { type: "button", textContent: tell("Clear") });
  const fields = made("div", { className: "fields" });
  const field = made("div", {});
  const row = made("div", { className: "row" });
  field.append(label, count, box);
  fields.append(field);
  row.append(wipe);
  root.append(fields, row);

  const showWords = mountWords(aside, description);
  let waiting = 0;
  async function explain(text) {
    const found = await give(encode(text, length));
    const parts = found?.outputs.every(Number.isFinite) ? omissions(text, length) : [];
    if (parts.length === 0) {
      return;
    }
    const left = await askAll(encodeAll(parts.map(([, rest]) => rest), length), parts.length);
    if (box.value === text) {
      showWords(parts, found.outputs, left.map(({ outputs }) => outputs));
    }
  }
  function counted() {
    const typed = [...box.value.normalize("NFC")].length;
    count.textContent = tell("%(typed)s of %(length)s characters", { typed, length });
    box.setAttribute("aria-invalid", "false");
  }
  function ask() {
    clearTimeout(waiting);
    const wrong = fault(box.value, length);
    box.setAttribute("aria-invalid", String(wrong !== "" && box.value !== ""));
    showWords(null);
    if (box.value === "") {
      clear();
    } else if (wrong) {
      fail(new Error(wrong));
    } else {
      explain(box.value).catch(fail);
    }
  }
  box.addEventListener("input", () => {
    counted();
    clearTimeout(waiting);
    waiting = setTimeout(ask, PAUSE);
  });
  wipe.addEventListener("click", () => {
    box.value = "";
    counted();
    ask();
    box.focus();
  });
  counted();
  return tell("Write a message: the answer follows while you write.");
}
