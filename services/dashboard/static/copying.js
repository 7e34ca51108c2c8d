/* Copying. Whatever carries data-copy gets a button that copies its text; without scripts it can still be selected. */

for (const source of document.querySelectorAll("[data-copy]")) source.after(copyButton(source.dataset.copy || "Copy", () => source.textContent));

/** A button that copies what `text()` gives and says so. */
export function copyButton(label, text) {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", className: "button button-small", textContent: label });
  button.addEventListener("click", async () => {
    button.textContent = (await copied(text())) ? "Copied" : "Copying is not allowed here";
  });
  return button;
}

/** Copies where the browser allows it: without TLS only the old way works. */
async function copied(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text).then(() => true, () => false);
  const field = document.createElement("textarea");
  field.className = "sr-only";
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}
