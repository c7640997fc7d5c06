// From image bytes to the model's input, in the arithmetic of Pillow, so that page and pipeline see the same pixels.

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

/** Read a canvas as the model's input: uint8, rows of `shape` = [height, width]. */
export function read(context, shape) {
  const { width, height } = context.canvas;
  const rgba = context.getImageData(0, 0, width, height).data;
  for (let i = 0; i < rgba.length; i += 4) {
    const alpha = rgba[i + 3];
    for (let k = 0; alpha !== 255 && k < 3; k++) {
      rgba[i + k] = Math.round((rgba[i + k] * alpha + 255 * (255 - alpha)) / 255); // on white
    }
  }
  return resize(grey(rgba), width, height, shape[1], shape[0]);
}

/** Decode image bytes as the pipeline does: no colour profile; a JPEG photograph stands upright. */
export async function decode(blob, shape, maxPixels) {
  let bitmap;
  try {
    const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
    bitmap = await createImageBitmap(blob, options);
  } catch {
    throw new Error("This browser cannot read the file as an image. PNG and JPEG always work.");
  }
  const { width, height } = bitmap;
  if (width * height > maxPixels) {
    throw new Error(`${width} x ${height} pixels are more than ${maxPixels}.`);
  }
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return read(context, shape);
}
