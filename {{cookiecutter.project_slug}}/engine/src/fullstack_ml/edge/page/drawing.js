// A drawn line becomes an image like those the model was trained on: centred, scaled, with as much ink.

import { read } from "./image.js";

const FINE = 256; // pixels on which a line is drawn before it is averaged down, about

function extent(points, axis) {
  const values = points.map((point) => point[axis]);
  const low = Math.min(...values);
  const high = Math.max(...values);
  return { size: high - low, middle: (low + high) / 2 };
}

function lengthOf(strokes) {
  let total = 0;
  for (const stroke of strokes) {
    for (let i = 1; i < stroke.length; i++) {
      total += Math.hypot(stroke[i][0] - stroke[i - 1][0], stroke[i][1] - stroke[i - 1][1]);
    }
  }
  return total;
}

/** Find the scale and the pen, in pixels of the model's input, that fill the usual box with the usual ink. */
export function fit(strokes, shape, typical) {
  const [height, width] = shape;
  const points = strokes.flat();
  const x = extent(points, 0);
  const y = extent(points, 1);
  const side = Math.min(height, width);
  const ink = typical.ink * height * width;
  let pen = 0.15 * side;
  let scale = 1;
  for (let step = 0; step < 8; step++) {
    const tall = Math.max(typical.height * height - pen, 1) / Math.max(y.size, 1e-6);
    const wide = Math.max(typical.width * width - pen, 1) / Math.max(x.size, 1e-6);
    scale = Math.min(tall, wide);
    // The length of a line times its pen is its ink; a dot has no length.
    pen = Math.min(Math.max(ink / Math.max(lengthOf(strokes) * scale, 1e-6), 0.08 * side), 0.3 * side);
  }
  return { scale: Number.isFinite(scale) ? scale : 1, pen, x: x.middle, y: y.middle };
}

/** Draw the strokes (lists of [x, y]) as the model's input. */
export function rasterise(strokes, input, typical) {
  const { shape } = input;
  const [height, width] = shape;
  const times = Math.max(1, Math.round(FINE / Math.max(height, width)));
  const { scale, pen, x, y } = fit(strokes, shape, typical);
  const context = new OffscreenCanvas(width * times, height * times).getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, width * times, height * times);
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = pen * times;
  context.beginPath();
  for (const stroke of strokes) {
    const places = stroke.map((point) => [
      ((point[0] - x) * scale + width / 2) * times,
      ((point[1] - y) * scale + height / 2) * times,
    ]);
    context.moveTo(...places[0]);
    places.forEach((place) => context.lineTo(...place));
  }
  context.stroke();
  return read(context, input);
}
