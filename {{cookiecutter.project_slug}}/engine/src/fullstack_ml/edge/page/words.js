// What moved the answer to a text: each word is left out once and the model asked again, as in inputs/omissions.py.

import { tell } from "./language.js";
import { encode, plain } from "./letters.js";

const PIECE = 6; // letters of a part where a text has no blanks
const MOST = 32; // parts of one text; of a longer one neighbours go together
const NAMED = 3; // parts in the sentence below the text

/** Divide a list into `count` runs whose lengths differ by one at most, the longer ones first: numpy's array_split. */
function split(list, count) {
  const [short, longer] = [Math.floor(list.length / count), list.length % count];
  const start = (i) => i * short + Math.min(i, longer);
  return Array.from({ length: count }, (_, i) => list.slice(start(i), start(i + 1)));
}

/** Return `[part, what is left of the text without it]` for every part of a text. */
export function omissions(text, length) {
  const letters = [...[...plain(text)].slice(0, length).join("").trimEnd()];
  const pieces = [];
  for (let at = 0, end; at < letters.length; at = end + 1) {
    end = letters.indexOf(" ", at) < 0 ? letters.length : letters.indexOf(" ", at);
    const word = Array.from({ length: end - at }, (_, i) => at + i);
    pieces.push(...(word.length <= 2 * PIECE ? [word] : split(word, Math.ceil(word.length / PIECE))));
  }
  return split(pieces, Math.min(MOST, pieces.length)).map((group) => {
    const [from, to] = [group[0][0], group.at(-1).at(-1) + 1];
    return [letters.slice(from, to).join(""), [...letters.slice(0, from), ...letters.slice(to)].join("")];
  });
}

/** Return the inputs of `texts` one after the other, as the model takes several. */
export function encodeAll(texts, length) {
  const made = new Int32Array(texts.length * (length + 2));
  texts.forEach((text, i) => made.set(encode(text, length), i * (length + 2)));
  return made;
}

/** The place of what is said most: the most probable label, or the number itself, which stands first. */
const foremost = (outputs, labels) => (labels.length ? outputs.indexOf(Math.max(...outputs)) : 0);

/** Put what is shown into `root`; return the function that takes the parts, the outputs and those without each part. */
export function mount(root, { answer }) {
  const made = (tag, properties) => Object.assign(document.createElement(tag), properties);
  const heading = made("h2", { textContent: tell("What moved the answer") });
  const words = made("p", { id: "words", dir: "auto" });
  const said = made("p", { id: "moved", className: "note" });
  const labels = answer.labels ?? [];
  const shown = (value) => (labels.length ? `${(100 * value).toFixed(1)} %` : Number(value.toPrecision(4)));
  root.append(heading, words, said);
  root.hidden = true;
  return (parts, outputs, without) => {
    root.hidden = parts === null;
    if (parts === null) {
      return;
    }
    const place = foremost(outputs, labels);
    const effects = without.map((left) => outputs[place] - left[place]);
    const largest = Math.max(...effects.map(Math.abs), Number.MIN_VALUE);
    words.replaceChildren(
      ...parts.flatMap(([part], i) => {
        const mark = made("span", { textContent: part, title: tell("without it %(value)s", { value: shown(without[i][place]) }) });
        mark.dataset.moves = effects[i] > 0 ? "for" : "against";
        mark.style.setProperty("--share", `${Math.round((70 * Math.abs(effects[i])) / largest)}%`);
        return [mark, " "];
      }),
    );
    const order = parts.map((_, i) => i).sort((a, b) => Math.abs(effects[b]) - Math.abs(effects[a]));
    const told = order
      .slice(0, NAMED)
      .map((i) => tell("without “%(part)s” %(value)s", { part: parts[i][0], value: shown(without[i][place]) }));
    const unit = labels.length ? "" : ` ${answer.options.unit ?? ""}`.trimEnd();
    said.textContent = [
      tell("%(what)s: %(value)s; %(without)s.", {
        what: labels.length ? labels[place].name : tell("The number"),
        value: `${shown(outputs[place])}${unit}`,
        without: told.join(", "),
      }),
      tell("The stronger the colour, the more a word moves it: blue words raise it, orange ones lower it."),
    ].join(" ");
  };
}
