// What a browser does not say of a picture's file: its format, how the camera was held, how many pictures it holds.

import { tell } from "./language.js";

const text = (view, at, length) =>
  String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + at, Math.min(length, view.byteLength - at)));

/** Take the orientation (1 to 8) out of a block of EXIF 2.3: tag 0x0112 of the first directory of a TIFF header. */
function take(block) {
  const at = text(block, 0, 4) === "Exif" ? 6 : 0;
  const little = text(block, at, 2) === "II";
  const directory = at + block.getUint32(at + 4, little);
  for (let entry = 0; entry < block.getUint16(directory, little); entry++) {
    const place = directory + 2 + 12 * entry;
    if (block.getUint16(place, little) === 0x0112) {
      const orientation = block.getUint16(place + 8, little);
      block.setUint16(place + 8, 1, little);
      return orientation;
    }
  }
  return 1;
}

const part = (view, at, length) => new DataView(view.buffer, view.byteOffset + at, length);

/** Chunks of a PNG file. */
function png(view, found) {
  for (let at = 8; at + 8 <= view.byteLength; at += 12 + view.getUint32(at)) {
    const name = text(view, at + 4, 4);
    found.frames = name === "acTL" ? view.getUint32(at + 8) : found.frames;
    found.exif = name === "eXIf" ? part(view, at + 8, view.getUint32(at)) : found.exif;
  }
}

/** Chunks of a WebP file, filled up to even lengths. */
function webp(view, found) {
  let frames = 0;
  for (let at = 12; at + 8 <= view.byteLength; ) {
    const name = text(view, at, 4);
    const length = view.getUint32(at + 4, true);
    frames += name === "ANMF";
    found.exif = name === "EXIF" ? part(view, at + 8, length) : found.exif;
    at += 8 + length + (length % 2);
  }
  found.frames = Math.max(frames, 1);
}

/** Segments of a JPEG file, up to its pixels; a second picture behind them is a preview. */
function jpeg(view, found) {
  for (let at = 2; view.getUint8(at) === 0xff && view.getUint8(at + 1) !== 0xda; at += 2 + view.getUint16(at + 2)) {
    if (view.getUint8(at + 1) === 0xe1 && text(view, at + 4, 6) === "Exif\0\0") {
      found.exif = part(view, at + 4, view.getUint16(at + 2) - 2);
    }
  }
}

/** Blocks of a GIF file: a table of colours has 3 * 2^(n + 1) bytes, and what follows comes in parts of one length byte. */
function gif(view, found) {
  const colours = (flags) => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);
  found.frames = 0;
  for (let at = 13 + colours(view.getUint8(10)); at < view.byteLength && view.getUint8(at) !== 0x3b; at++) {
    const picture = view.getUint8(at) === 0x2c;
    found.frames += picture;
    at += picture ? 11 + colours(view.getUint8(at + 9)) : 2;
    while (view.getUint8(at)) {
      at += view.getUint8(at) + 1;
    }
  }
}

const FORMATS = [
  ["PNG", /^\x89PNG/, png],
  ["JPEG", /^\xff\xd8\xff/, jpeg],
  ["WebP", /^RIFF[^]{4}WEBP/, webp],
  ["GIF", /^GIF8/, gif],
  ["BMP", /^BM/, () => {}],
];

/**
 * Read the header of a picture's file: its `format`, and its `orientation` from 1 to 8, which the bytes lose: browsers
 * differ in the formats that they turn by themselves. Throws a sentence for a format that page and pipeline do not both read, and for a picture that moves.
 */
export function inspect(bytes) {
  const view = new DataView(bytes);
  const start = text(view, 0, 12);
  const [format, , walk] = FORMATS.find(([, pattern]) => pattern.test(start)) ?? [];
  if (!format) {
    const tiff = /^(II\*\0|MM\0\*)/.test(start);
    const what = tiff
      ? tell("A browser cannot read a TIFF file.")
      : tell("This file is no PNG, JPEG, WebP, GIF or BMP picture.");
    throw new Error(`${what} ${tell("Save it as PNG or JPEG.")}`);
  }
  const found = { frames: 1, exif: null };
  let turned = 1;
  try {
    walk(view, found);
    turned = found.exif ? take(found.exif) : 1;
  } catch {
    // Cut off: the browser says whether it can still be read.
  }
  if (found.frames > 1) {
    throw new Error(tell("The picture moves: %(count)s pictures in one file. Store one of them.", { count: found.frames }));
  }
  return { format, orientation: turned };
}
