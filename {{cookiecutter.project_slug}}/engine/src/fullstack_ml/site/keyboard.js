// What is wider than the page scrolls; the keyboard has to reach it too.
addEventListener("load", () => {
  for (const wide of document.querySelectorAll("pre > code, .md-typeset__scrollwrap")) {
    wide.tabIndex = 0;
  }
});
