// The input of an image product: draw with a pointer (where it is grey), or drop, choose or paste an image.

import { decode } from "./image.js";
import { tell } from "./language.js";
import { rasterise } from "./drawing.js";

const SIZE = 352; // units along the longer side of the paper

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/**
 * Put paper and buttons into `root`, and the model's view into `aside`; return what to tell the reader to do.
 * Calls `give(pixels)` for every image, `fail(error)`, and `clear()`.
 */
export function mount(root, aside, description, { give, fail, clear }) {
  const { input, typical, max_pixels: maxPixels } = description;
  const [height, width, channels = 1] = input.shape;
  const draws = channels === 1; // a drawn line has no colour
  const unit = SIZE / Math.max(height, width);
  const paper = element("canvas", { className: "paper", width: width * unit, height: height * unit, tabIndex: -1 });
  paper.setAttribute("role", "img");
  paper.setAttribute("aria-label", `${draws ? tell("Paper to draw on") : tell("Picture")}: ${input.meaning}`);
  const pen = paper.getContext("2d");
  const seen = element("canvas", { width, height });
  seen.setAttribute("aria-hidden", "true");
  const file = element("input", { type: "file", accept: "image/*", className: "hidden" });
  const wipe = element("button", { type: "button", textContent: tell("Clear") });
  const caption = element("p", { className: "note", textContent: tell("What the model sees") });
  const choose = element("label", { className: "button" }, tell("Choose an image"), file);
  root.append(paper, element("div", { className: "row" }, wipe, choose));
  aside.append(element("div", { className: "row" }, seen, caption));
  let strokes = [];

  function reset() {
    strokes = [];
    pen.fillStyle = "white";
    pen.fillRect(0, 0, paper.width, paper.height);
    pen.strokeStyle = "#111";
    pen.lineWidth = SIZE / 14;
    pen.lineCap = pen.lineJoin = "round";
    seen.getContext("2d").clearRect(0, 0, width, height);
  }

  function show(pixels) {
    const rgba = new ImageData(width, height);
    for (let i = 0; i < width * height; i++) {
      const colours = [0, 1, 2].map((k) => pixels[i * channels + (channels === 1 ? 0 : k)]);
      rgba.data.set([...colours, 255], 4 * i);
    }
    seen.getContext("2d").putImageData(rgba, 0, 0);
    give(pixels);
  }

  async function take(blob) {
    try {
      const pixels = await decode(blob, input, maxPixels);
      reset();
      show(pixels);
      pen.imageSmoothingEnabled = false;
      pen.drawImage(seen, 0, 0, paper.width, paper.height);
    } catch (error) {
      reset();
      fail(error);
    }
  }

  function place(event) {
    const frame = paper.getBoundingClientRect();
    const across = (event.clientX - frame.left) / frame.width;
    const down = (event.clientY - frame.top) / frame.height;
    return [across * paper.width, down * paper.height];
  }

  function draw(event) {
    const stroke = strokes.at(-1);
    for (const moved of event.getCoalescedEvents?.() ?? [event]) {
      pen.beginPath();
      pen.moveTo(...stroke.at(-1));
      stroke.push(place(moved));
      pen.lineTo(...stroke.at(-1));
      pen.stroke();
    }
  }

  paper.addEventListener("pointerdown", (event) => {
    if (!draws) {
      return;
    }
    if (!strokes.length) {
      reset(); // an image may lie on the paper
    }
    paper.setPointerCapture(event.pointerId);
    strokes.push([place(event)]);
    draw(event);
  });
  paper.addEventListener("pointermove", (event) => {
    if (paper.hasPointerCapture(event.pointerId)) {
      draw(event);
    }
  });
  paper.addEventListener("lostpointercapture", () => show(rasterise(strokes, input, typical)));
  wipe.addEventListener("click", () => {
    reset();
    clear();
  });
  file.addEventListener("change", () => {
    if (file.files.length) {
      take(file.files[0]);
    }
    file.value = "";
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) {
      take(event.clipboardData.files[0]);
    }
  });
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault(); // or the browser would open the file and leave the page
      paper.classList.toggle("over", kind === "dragenter" || kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files.length) {
        take(event.dataTransfer.files[0]);
      }
    });
  }
  reset();
  const { meaning } = input;
  return draws
    ? tell("Draw %(what)s; or drop, choose or paste an image of it.", { what: meaning })
    : tell("Drop, choose or paste %(what)s.", { what: meaning });
}
