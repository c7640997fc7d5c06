// The artefact: fetched, held against its hash, loaded, checked, and asked. Nothing here touches the page.

import * as ort from "./runtime/ort.wasm.min.mjs";
import { decide } from "./decision.js";

const TOLERANCE = 1e-3; // relative, between this browser and the machine that evaluated the model

ort.env.wasm.wasmPaths = new URL("./runtime/", import.meta.url).href;
ort.env.wasm.numThreads = 1; // a record takes microseconds, and threads would need special headers
ort.env.logLevel = "error";

async function fetched(name) {
  const response = await fetch(new URL(name, import.meta.url), { cache: "no-cache" });
  if (!response.ok) {
    throw new Error(`${name} did not load: ${response.status} ${response.statusText}`);
  }
  return response;
}

async function verified(description) {
  const bytes = await (await fetched(description.model.file)).arrayBuffer();
  if (!globalThis.crypto?.subtle) {
    throw new Error("The model cannot be verified here. Open the page over https, or on the machine that serves it.");
  }
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const found = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (found !== description.model.sha256) {
    throw new Error("The model is not the one that was accepted: its hash differs.");
  }
  return bytes;
}

/** Load everything and return `{ description, predict }`; throws unless the model is the accepted one. */
export async function load() {
  const description = await (await fetched("model.json")).json();
  const session = await ort.InferenceSession.create(await verified(description), { executionProviders: ["wasm"] });
  const { input, labels, rule, checks } = description;
  const isImage = input.type === "image";
  const dimensions = isImage ? input.shape : [input.features.length];

  /** Score `count` records that lie one after the other in a typed array. */
  async function predictAll(data, count) {
    const tensor = new ort.Tensor(isImage ? "uint8" : "float32", data, [count, ...dimensions]);
    const scored = await session.run({ [input.name]: tensor });
    return Array.from({ length: count }, (_, i) => {
      const probabilities = Array.from(scored.probabilities.data.subarray(i * labels.length, (i + 1) * labels.length));
      const novelty = scored.novelty.data[i];
      const label = labels[probabilities.indexOf(Math.max(...probabilities))]?.name ?? null;
      return { label, probabilities, novelty, decision: decide(probabilities, novelty, rule) };
    });
  }

  const bytes = Uint8Array.from(atob(checks.inputs), (character) => character.charCodeAt(0));
  const inputs = isImage ? bytes : new Float32Array(bytes.buffer);
  const answers = await predictAll(inputs, checks.novelty.length);
  const same = (found, expected) => Math.abs(found - expected) <= TOLERANCE * (1 + Math.abs(expected)); // false for NaN
  const agrees = (answer, i) =>
    same(answer.novelty, checks.novelty[i]) &&
    answer.probabilities.every((value, k) => same(value, checks.probabilities[i][k]));
  if (!answers.every(agrees)) {
    throw new Error("This browser computes other scores than the machine that evaluated the model.");
  }
  return { description, predict: async (data) => (await predictAll(data, 1))[0] };
}
