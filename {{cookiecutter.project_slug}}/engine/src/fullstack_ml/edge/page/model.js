// The artefact: fetched, held against its hash, loaded, checked, and asked. Nothing here touches the page.

import { speak } from "./language.js";
import * as ort from "./runtime/ort.wasm.min.mjs";

const ARRAYS = { uint8: Uint8Array, int32: Int32Array, float32: Float32Array, int64: BigInt64Array };
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

/** Load everything and return `{ description, answer, predict, predictAll }`; throws unless the model is the accepted one. */
export async function load() {
  const description = await (await fetched("model.json")).json();
  speak(description.words);
  const session = await ort.InferenceSession.create(await verified(description), { executionProviders: ["wasm"] });
  const { tensor, rule, checks } = description;
  const answer = await import(`./${description.parts.answer}`);

  /** Score `count` records that lie one after the other in a typed array. */
  async function predictAll(data, count) {
    const given = new ort.Tensor(tensor.type, data, [count, ...tensor.shape]);
    const scored = await session.run({ [tensor.input]: given });
    const found = scored[tensor.output].data;
    const width = found.length / count;
    return Array.from({ length: count }, (_, i) => {
      const outputs = Array.from(found.subarray(i * width, (i + 1) * width));
      const novelty = scored.novelty.data[i];
      const decision = answer.decide(outputs, novelty, rule);
      return { said: answer.say(outputs, description), outputs, novelty, decision };
    });
  }

  const bytes = Uint8Array.from(atob(checks.inputs), (character) => character.charCodeAt(0));
  const answers = await predictAll(new ARRAYS[tensor.type](bytes.buffer), checks.novelty.length);
  const same = (found, expected) => Math.abs(found - expected) <= TOLERANCE * (1 + Math.abs(expected)); // false for NaN
  const agrees = ({ outputs, novelty }, i) =>
    same(novelty, checks.novelty[i]) && outputs.every((value, k) => same(value, checks.outputs[i][k]));
  if (!answers.every(agrees)) {
    throw new Error("This browser computes other scores than the machine that evaluated the model.");
  }
  const decides = (decision, i) => answer.decide(checks.outputs[i], checks.novelty[i], rule) === decision;
  if (!checks.decisions.every(decides)) {
    throw new Error("This page decides otherwise than the machine that evaluated the model.");
  }
  return { description, answer, predict: async (data) => (await predictAll(data, 1))[0], predictAll };
}
