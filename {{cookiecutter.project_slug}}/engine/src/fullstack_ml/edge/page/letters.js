// What a text is to the model, the same as in inputs/letters.py. Nothing here touches the page.

import { tell } from "./language.js";

const BLANKS = /[\x00-\x20\x7f-\xa0\u1680\u2028\u2029\ufeff]+/g;

/** Return a text as it is read: in Unicode's normal form NFKC and lower case, with one blank between words. */
export function plain(text) {
  return text.normalize("NFKC").toLowerCase().replace(BLANKS, " ").replace(/^ | $/g, "");
}

/** Return the code points of the letters between two blanks, then zeros: int32 of `length` + 2. */
export function encode(text, length) {
  const made = new Int32Array(length + 2);
  const known = [...plain(text)].slice(0, length).join("");
  if (known !== "") {
    [...` ${known} `].forEach((letter, i) => {
      made[i] = letter.codePointAt(0);
    });
  }
  return made;
}

/** Say what is wrong with a text; nothing where it is right. */
export function fault(text, length) {
  if (plain(text) === "") {
    return tell("Type something that has a letter or a sign.");
  }
  const count = [...text.normalize("NFC")].length;
  return count > length ? tell("The text has %(count)s characters; the model takes up to %(length)s.", { count, length }) : "";
}
