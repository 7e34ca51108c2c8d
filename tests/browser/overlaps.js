/* Pairs of texts or controls that lie on each other, as "one ∩ other"; [] is what a page should give. Evaluated in the page. */
() => {
  const shown = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = node.data.trim(), owner = node.parentElement;
    if (!text || !owner.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    if (owner.closest("option, script, style, .sr-only, .skip")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const line of range.getClientRects()) {
      const box = clipped(line, owner);
      if (box) shown.push({ text, node, ...box });
    }
  }
  for (const node of document.querySelectorAll("input, select, textarea, button")) {
    if (!node.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const box = clipped(node.getBoundingClientRect(), node.parentElement);
    if (box) shown.push({ text: `<${node.name || node.textContent.trim()}>`, node, ...box });
  }
  shown.sort((a, b) => a.top - b.top);
  const found = new Set();
  for (let i = 0; i < shown.length; i++) {
    for (let k = i + 1; k < shown.length && shown[k].top < shown[i].bottom; k++) {
      const a = shown[i], b = shown[k];
      if (a.node.contains(b.node) || b.node.contains(a.node)) continue; // also: a text cut off has two boxes
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (wide > 1 && high > 1) found.add(`${a.text.slice(0, 40)} ∩ ${b.text.slice(0, 40)}`);
    }
  }
  return [...found];

  /* What of a line its ancestors let be seen; a font's box is taller than its letters, so a sixth goes at each end. */
  function clipped(line, owner) {
    const slack = line.height / 6;
    const box = { left: line.left, right: line.right, top: line.top + slack, bottom: line.bottom - slack };
    for (let one = owner; one && one !== document.body; one = one.parentElement) {
      const style = getComputedStyle(one);
      if (style.clipPath !== "none" && style.position === "absolute") return null;
      if (style.overflowX === "visible" && style.overflowY === "visible") continue;
      const frame = one.getBoundingClientRect();
      box.left = Math.max(box.left, frame.left);
      box.right = Math.min(box.right, frame.right);
      box.top = Math.max(box.top, frame.top);
      box.bottom = Math.min(box.bottom, frame.bottom);
    }
    return box.right - box.left > 1 && box.bottom - box.top > 1 ? box : null;
  }
}
