// What a value of a table is to the model, the same as in inputs/encoding.py. Nothing here touches the page.

import { tell } from "./language.js";
import { LENGTH, buckets, words } from "./texts.js";

export const OTHER = "\u0000other"; // a category that is not listed
const TRUE = ["true", "t", "yes", "y", "1", "on"];
const FALSE = ["false", "f", "no", "n", "0", "off"];
const DATE = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/;
const DAY = 86_400_000;

/** Return days since 1970 of an ISO date or time, in UTC where it names an offset; NaN for another text. */
function days(text) {
  if (!DATE.test(text)) {
    return NaN;
  }
  const zoned = text.length === 10 || /(Z|[+-]\d{2}:?\d{2})$/.test(text.slice(10));
  return Date.parse(zoned ? text : `${text}Z`) / DAY;
}

/** Return a text as the number that the graph takes; NaN where it is empty or none. */
function number(feature, text) {
  const type = feature.type ?? "number";
  if (type === "date") {
    return days(text);
  }
  if (type === "text") {
    return words(text).length;
  }
  if (feature.values) {
    const place = feature.values.indexOf(text);
    return place < 0 && feature.other === "allowed" ? feature.values.length : place < 0 ? NaN : place;
  }
  if (type === "flag") {
    const word = text.toLowerCase();
    return TRUE.includes(word) ? 1 : FALSE.includes(word) ? 0 : NaN;
  }
  return Number(text);
}

/** Say which values a feature may have. */
export function about(feature) {
  if (feature.values || feature.type === "flag") {
    return "";
  }
  if (feature.type === "text") {
    return tell("up to %(count)s characters", { count: feature.length ?? LENGTH });
  }
  const { low, high } = feature;
  const both = low !== undefined && high !== undefined;
  const one = low !== undefined ? tell("from %(low)s", { low }) : tell("up to %(high)s", { high });
  const range = both ? tell("%(low)s to %(high)s", { low, high }) : low === high ? tell("any date") : one;
  return `${range} ${feature.unit ?? ""}`.trim();
}

/** Say what is wrong with a field's text, or "" when the feature may have it. */
export function fault(feature, given) {
  const text = given.trim();
  const { name } = feature;
  if (text === "") {
    return feature.missing === "allowed" ? "" : tell("%(name)s needs a value.", { name });
  }
  const value = number(feature, text);
  const type = feature.type ?? "number";
  if (!Number.isFinite(value) || (type === "whole" && !Number.isInteger(value))) {
    const kinds = {
      whole: tell("a whole number"),
      date: tell("a date such as 2026-01-31"),
      flag: tell("true or false"),
    };
    const wanted = feature.values ? tell("one of its values") : (kinds[type] ?? tell("a number"));
    return tell("%(name)s is %(text)s; it needs %(wanted)s.", { name, text, wanted });
  }
  if (type === "text") {
    const length = [...text].length;
    const most = feature.length ?? LENGTH;
    return length > most ? tell("%(name)s has %(count)s characters; allowed are %(most)s.", { name, count: length, most }) : "";
  }
  const bound = (end) => (end === undefined ? undefined : type === "date" ? days(end) : end);
  const [low, high] = [bound(feature.low), bound(feature.high)];
  const outside = !feature.values && (value < low || value > high); // false where there is no bound
  return outside ? tell("%(name)s is %(text)s; allowed are %(range)s.", { name, text, range: about(feature) }) : "";
}

/** Return the texts of a row as the model's input: a number per feature, and behind them the buckets of short texts. */
export function encode(features, texts) {
  const given = texts.map((text) => text.trim());
  const numbers = features.map((feature, i) => (given[i] === "" ? NaN : number(feature, given[i])));
  const short = given.filter((_, i) => features[i].type === "text");
  return Float32Array.from([...numbers, ...short.flatMap(buckets)]);
}
