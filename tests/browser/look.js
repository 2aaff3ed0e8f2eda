// What is wrong with the page that is open, a line each; [] when nothing is. Run by visitor.py.
({ controls, least, says }) => {
  const wrong = [];
  const visible = (one) => one.checkVisibility({ visibilityProperty: true });
  const told = (one) => `${one.tagName} "${(one.textContent.trim() || one.name || "").slice(0, 40)}"`;
  // A link within a sentence is as high as the sentence; a link that stands alone is for a thumb.
  const inSentence = (one) => {
    const around = one.closest("p, li, dd");
    return one.tagName === "A" && around && around.textContent.trim() !== one.textContent.trim();
  };
  for (const one of [...document.querySelectorAll(controls)].filter(visible)) {
    const box = (one.closest("label") || one).getBoundingClientRect();
    const high = inSentence(one) && !one.matches(".button") ? 0 : least;
    if (box.height < high - 0.5 || box.width < 24) wrong.push(`too small: ${told(one)} ${Math.round(box.width)}x${Math.round(box.height)}`);
  }
  for (const one of [...document.querySelectorAll("body *")].filter(visible)) {
    if (one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0 && getComputedStyle(one).overflowX !== "visible" && one.tagName !== "INPUT")
      wrong.push(`cut: ${told(one)}`);
  }
  if (document.querySelectorAll("script, iframe, object, embed").length) wrong.push("something that runs");
  const lines = document.querySelector("section.lines");
  const main = document.querySelector("main");
  if (lines && lines.getBoundingClientRect().bottom > main.getBoundingClientRect().top) wrong.push("crisis lines are not above everything");
  // Words of the other language, where the page does not say itself that it changes over.
  const strange = { es: /\b(the|you|your|and|with|this|from|of|is|are|not|for|hours|every)\b/i, en: /\b(el|los|las|una?|para|que|usted|del|por|con|es|horas)\b/i }[says];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const around = node.parentElement.closest("[lang]");
    const found = around.lang === says && strange.exec(node.textContent);
    if (found) wrong.push(`"${found[0]}" in ${node.textContent.trim().slice(0, 80)}`);
  }
  return wrong;
}
