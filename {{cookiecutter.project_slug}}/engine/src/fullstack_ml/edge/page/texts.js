// What a short text is to the model, the same as in inputs/texts.py. Nothing here touches the page.

export const LENGTH = 300; // characters, where the contract names no length: LENGTH in product/formulation.py
const BUCKETS = 256;
const STEMS = [2, 4];
const BETWEEN = /[\x00-/:-@[-`{-\x7f]+/;

export function words(text) {
  return text.normalize("NFKC").toLowerCase().split(BETWEEN).filter((word) => word !== "");
}

function crc32(bytes) {
  let rest = ~0;
  for (const byte of bytes) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit += 1) {
      rest = (rest >>> 1) ^ (rest & 1 ? 0xedb88320 : 0);
    }
  }
  return ~rest >>> 0;
}

/** Return 1 for every bucket into which a word or its beginning falls, 0 for the others. */
export function buckets(text) {
  const made = new Array(BUCKETS).fill(0);
  const found = words(text);
  const starts = STEMS.flatMap((count) =>
    found.map((word) => [...word]).filter((word) => word.length > count).map((word) => `${word.slice(0, count).join("")}*`),
  );
  for (const term of [...found, ...starts]) {
    made[crc32(new TextEncoder().encode(term)) % BUCKETS] = 1;
  }
  return made;
}
