// The texts of the page in the language of the product: model.json brings a translation by English text. Part of the page.

let translations = {};

/** Take the translations that `model.json` holds; none leave the page in English. */
export function speak(given) {
  translations = given ?? {};
}

/** Return a text in the language of the product, with `values` in the places `%(name)s`. */
export function tell(text, values = {}) {
  return (translations[text] ?? text).replace(/%\((\w+)\)s/g, (_, name) => values[name]);
}
