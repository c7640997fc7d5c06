// From image bytes to the model's input, in the arithmetic of Pillow, so that page and pipeline see the same pixels.

import { inspect } from "./header.js";
import { tell } from "./language.js";

const BITS = 22; // fractional bits of a filter weight in Pillow: 32, less 8 of a pixel, less 2 of head room

/** Grey values of RGBA pixels: ITU-R 601-2 luma in 16 fractional bits, as `convert("L")`. */
export function grey(rgba) {
  const result = new Uint8Array(rgba.length / 4);
  for (let i = 0; i < result.length; i++) {
    const at = 4 * i;
    result[i] = (19595 * rgba[at] + 38470 * rgba[at + 1] + 7471 * rgba[at + 2] + 0x8000) >> 16;
  }
  return result;
}

/** For every output pixel: the first input pixel under the box, and the weights from there on. */
function boxes(from, to) {
  const scale = from / to;
  const width = Math.max(scale, 1);
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - width / 2 + 0.5), 0);
    const last = Math.min(Math.trunc(centre + width / 2 + 0.5), from);
    const inside = [];
    for (let x = first; x < last; x++) {
      const distance = (x - centre + 0.5) * (1 / width);
      inside.push(distance > -0.5 && distance <= 0.5 ? 1 : 0);
    }
    const total = inside.reduce((sum, weight) => sum + weight, 0);
    const weights = inside.map((weight) => Math.trunc(0.5 + (total ? weight / total : weight) * 2 ** BITS));
    return { first, weights };
  });
}

/** Filter along one axis: `lines` of `from` pixels, `step` apart within a line and `stride` from line to line. */
function filter(pixels, from, to, lines, step, stride, outStep, outStride) {
  const result = new Uint8Array(to * lines);
  boxes(from, to).forEach(({ first, weights }, i) => {
    for (let line = 0; line < lines; line++) {
      let sum = 1 << (BITS - 1);
      for (let k = 0; k < weights.length; k++) {
        sum += pixels[line * stride + (first + k) * step] * weights[k];
      }
      result[line * outStride + i * outStep] = Math.min(sum >> BITS, 255);
    }
  });
  return result;
}

/** Average or repeat grey pixels to another size, as `resize(size, Resampling.BOX)`: columns first, then rows. */
export function resize(pixels, width, height, toWidth, toHeight) {
  let result = pixels;
  if (width !== toWidth) {
    result = filter(result, width, toWidth, height, 1, width, 1, toWidth);
  }
  if (height !== toHeight) {
    result = filter(result, height, toHeight, toWidth, toWidth, 1, toWidth, 1);
  }
  return result;
}

const whole = (length) => Math.max(1, Math.floor(length + 0.5)); // as the pipeline rounds

/** Where a picture lies: the part `from` of it that is taken, and the part `to` of the model's input that it fills. */
export function place(width, height, toWidth, toHeight, fit = "stretch") {
  const from = { x: 0, y: 0, width, height };
  const to = { x: 0, y: 0, width: toWidth, height: toHeight };
  const middle = (outer, inner) => Math.floor((outer - inner) / 2);
  if (fit === "crop") {
    const scale = Math.max(toWidth / width, toHeight / height);
    from.width = Math.min(width, whole(toWidth / scale));
    from.height = Math.min(height, whole(toHeight / scale));
    Object.assign(from, { x: middle(width, from.width), y: middle(height, from.height) });
  } else if (fit === "letterbox") {
    const scale = Math.min(toWidth / width, toHeight / height);
    to.width = Math.min(toWidth, whole(width * scale));
    to.height = Math.min(toHeight, whole(height * scale));
    Object.assign(to, { x: middle(toWidth, to.width), y: middle(toHeight, to.height) });
  }
  return { from, to };
}

/** Read a canvas as the model's input: uint8, rows of `shape` = [height, width], or with 3 colours per pixel. */
export function read(context, { shape, fit = "stretch", ground = 255 }) {
  const [toHeight, toWidth, channels = 1] = shape;
  const { from, to } = place(context.canvas.width, context.canvas.height, toWidth, toHeight, fit);
  const rgba = context.getImageData(from.x, from.y, from.width, from.height).data;
  for (let i = 0; i < rgba.length; i += 4) {
    const alpha = rgba[i + 3];
    for (let k = 0; alpha !== 255 && k < 3; k++) {
      rgba[i + k] = Math.round((rgba[i + k] * alpha + ground * (255 - alpha)) / 255);
    }
  }
  const planes = channels === 1 ? [grey(rgba)] : [0, 1, 2].map((k) => rgba.filter((_, i) => i % 4 === k));
  const result = new Uint8Array(toHeight * toWidth * channels).fill(ground);
  planes.forEach((plane, k) => {
    const small = resize(plane, from.width, from.height, to.width, to.height);
    for (let y = 0; y < to.height; y++) {
      for (let x = 0; x < to.width; x++) {
        result[((y + to.y) * toWidth + x + to.x) * channels + k] = small[y * to.width + x];
      }
    }
  });
  return result;
}

// Where the pixels of a picture of width w and height h go, by the orientation of its file (EXIF 2.3, tag 0x0112).
const TURNS = {
  2: (w) => [-1, 0, 0, 1, w, 0],
  3: (w, h) => [-1, 0, 0, -1, w, h],
  4: (w, h) => [1, 0, 0, -1, 0, h],
  5: () => [0, 1, 1, 0, 0, 0],
  6: (w, h) => [0, 1, -1, 0, h, 0],
  7: (w, h) => [0, -1, -1, 0, h, w],
  8: (w) => [0, -1, 1, 0, 0, w],
};

/** Decode image bytes as the pipeline does: upright, without a colour profile. */
export async function decode(blob, input, maxPixels) {
  const bytes = await blob.arrayBuffer();
  const { format, orientation } = inspect(bytes);
  let bitmap;
  try {
    const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
    bitmap = await createImageBitmap(new Blob([bytes]), options);
  } catch {
    throw new Error(tell("This browser cannot read the %(format)s file: it is broken, or of a rare kind. Save it as PNG.", { format }));
  }
  const { width, height } = bitmap;
  if (width * height > maxPixels) {
    throw new Error(tell("%(width)s x %(height)s pixels are more than %(most)s.", { width, height, most: maxPixels }));
  }
  const size = orientation > 4 && orientation in TURNS ? [height, width] : [width, height];
  const context = new OffscreenCanvas(...size).getContext("2d", { willReadFrequently: true });
  context.setTransform(...(TURNS[orientation]?.(width, height) ?? [1, 0, 0, 1, 0, 0]));
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return read(context, input);
}
