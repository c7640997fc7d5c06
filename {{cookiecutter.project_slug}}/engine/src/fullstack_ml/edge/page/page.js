// The page: what the product is, what was given, what the model says. Texts come from product.yaml by way of model.json.
// Two parts are chosen by `parts` of model.json. That of the input has mount(root, aside, description, { give, ask, fail,
// clear }), which returns a hint: give shows what the model says of one record and returns it, ask only returns. That of the answer has decide(outputs, novelty, rule), say(outputs, description),
// explain(said, decision, description), and mount(root, description), which returns show(outputs or null).

import { tell } from "./language.js";
import { load } from "./model.js";

const heading = (decision) => (decision === "unfamiliar" ? tell("Unfamiliar") : tell("Uncertain"));
const byId = (id) => document.getElementById(id);

function verdict(state, heading, reason) {
  byId("verdict").dataset.state = state;
  byId("label").textContent = heading;
  byId("reason").textContent = reason;
}

const sentence = (text) => text && `${text[0].toUpperCase()}${text.slice(1).replace(/\.$/, "")}.`;

function novelty(description, value) {
  const limit = description.rule.novelty ?? null;
  const said = value === undefined ? "" : tell("Novelty %(score)s", { score: value.toPrecision(3) });
  const familiar = tell("familiar up to %(limit)s", { limit: limit?.toPrecision(3) });
  byId("novelty").textContent = said && limit !== null ? `${said}, ${familiar}` : said;
}

function about(description) {
  const { versions, model } = description;
  const version = versions.model ? tell("version %(version)s", { version: versions.model }) : tell("not registered");
  const rows = [
    [tell("In scope"), description.in_scope],
    [tell("Out of scope"), description.out_of_scope],
    [tell("Model"), `${versions.estimator}, ${version}`],
    [tell("Model, SHA-256"), model.sha256],
    [tell("Training data, SHA-256"), versions.data],
    [tell("Annotation guide"), versions.guide],
    [tell("Engine"), versions.engine],
  ];
  for (const [term, text] of rows) {
    const [dt, dd] = ["dt", "dd"].map((tag) => document.createElement(tag));
    dt.textContent = term;
    dd.textContent = text;
    byId("about").append(dt, dd);
  }
}

function failed(error) {
  console.error(error);
  verdict("error", tell("Not possible"), error.message);
}

async function start() {
  const { description, answer, predict, predictAll } = await load();
  document.title = byId("name").textContent = description.name;
  byId("purpose").textContent = sentence(description.decision);
  about(description);
  let hint = "";
  const beside = answer.mount(byId("beside"), description);
  const empty = () => {
    verdict("empty", "…", hint);
    beside(null);
    novelty(description, undefined);
  };
  const show = ({ said, outputs, decision, novelty: found }) => {
    verdict(decision, decision === "accept" ? said : heading(decision), answer.explain(said, decision, description));
    beside(outputs);
    novelty(description, found);
  };
  const fail = (error) => {
    empty();
    failed(error);
  };
  let newest = 0;
  const give = async (data) => {
    const mine = ++newest;
    try {
      const found = await predict(data);
      if (mine === newest) {
        show(found);
        return found;
      }
    } catch (error) {
      fail(error);
    }
    return null;
  };
  const clear = () => {
    newest += 1;
    empty();
  };
  const { mount } = await import(`./${description.parts.input}`);
  hint = mount(byId("input"), byId("seen"), description, { give, ask: predictAll, fail, clear });
  empty();
  performance.mark("ready");
}

start().catch(failed);
