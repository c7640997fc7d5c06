// The page: what the product is, what was given, what the model says. Texts come from product.yaml by way of model.json.

import { load } from "./model.js";

const REASONS = {
  accept: "The input is familiar, and one label is likely enough.",
  unfamiliar: "No answer: the input is unlike what the model was trained on.",
  uncertain: "No answer: no single label is likely enough.",
};
const HEADINGS = { unfamiliar: "Unfamiliar", uncertain: "Uncertain" };
const byId = (id) => document.getElementById(id);

function verdict(state, heading, reason) {
  byId("verdict").dataset.state = state;
  byId("label").textContent = heading;
  byId("reason").textContent = reason;
}

const sentence = (text) => text && `${text[0].toUpperCase()}${text.slice(1).replace(/\.$/, "")}.`;
const share = (value) => `${(100 * value).toFixed(1)} %`;

function bars(description, probabilities) {
  const highest = probabilities ? Math.max(...probabilities) : NaN;
  byId("probabilities").replaceChildren(
    ...description.labels.map((label, i) => {
      const row = document.createElement("li");
      const [name, bar, fill, value] = ["span", "span", "i", "span"].map((tag) => document.createElement(tag));
      name.textContent = label.name;
      row.title = label.definition;
      bar.className = "bar";
      bar.setAttribute("aria-hidden", "true");
      bar.append(fill);
      value.className = "value";
      if (probabilities) {
        fill.style.width = `${100 * probabilities[i]}%`;
        value.textContent = share(probabilities[i]);
        row.classList.toggle("top", probabilities[i] === highest);
      }
      row.append(name, bar, value);
      return row;
    }),
  );
}

function novelty(description, value) {
  const limit = description.rule.novelty;
  const said = value === undefined ? "" : `Novelty ${value.toPrecision(3)}`;
  byId("novelty").textContent = said && limit !== null ? `${said}, familiar up to ${limit.toPrecision(3)}` : said;
}

function show(description, answer) {
  const { decision, label, probabilities } = answer;
  const unsure = label === null ? "" : ` The most likely label is ${label}.`;
  const definition = sentence(description.labels.find((known) => known.name === label)?.definition ?? "");
  const reason = decision === "accept" ? `${definition} ${REASONS.accept}` : `${REASONS[decision]}${unsure}`;
  verdict(decision, decision === "accept" ? label : HEADINGS[decision], reason);
  bars(description, probabilities);
  novelty(description, answer.novelty);
}

function about(description) {
  const { versions, model } = description;
  const rows = {
    "In scope": description.in_scope,
    "Out of scope": description.out_of_scope,
    Model: `${versions.estimator}, ${versions.model ? `version ${versions.model}` : "not registered"}`,
    "Model, SHA-256": model.sha256,
    "Training data, SHA-256": versions.data,
    "Annotation guide": versions.guide,
    Engine: versions.engine,
  };
  for (const [term, text] of Object.entries(rows)) {
    const [dt, dd] = ["dt", "dd"].map((tag) => document.createElement(tag));
    dt.textContent = term;
    dd.textContent = text;
    byId("about").append(dt, dd);
  }
}

function failed(error) {
  console.error(error);
  verdict("error", "Not possible", error.message);
}

async function start() {
  const { description, predict } = await load();
  document.title = byId("name").textContent = description.name;
  byId("purpose").textContent = sentence(description.decision);
  about(description);
  let hint = "";
  const empty = () => {
    verdict("empty", "…", hint);
    bars(description, null);
    novelty(description, undefined);
  };
  const fail = (error) => {
    empty();
    failed(error);
  };
  let newest = 0;
  const give = async (data) => {
    const mine = ++newest;
    try {
      const answer = await predict(data);
      if (mine === newest) {
        show(description, answer);
      }
    } catch (error) {
      fail(error);
    }
  };
  const clear = () => {
    newest += 1;
    empty();
  };
  const { mount } = await import(description.input.type === "image" ? "./paper.js" : "./fields.js");
  hint = mount(byId("input"), byId("seen"), description, { give, fail, clear });
  empty();
  performance.mark("ready");
}

start().catch(failed);
