/* One key for one button: elements with data-key are pressed, followed or focused by it, unless somebody is typing. */

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.matches("input, textarea, select, [contenteditable]")) return;
  const wanted = document.querySelector(`:is(button, a, input)[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (!wanted) return;
  event.preventDefault();
  if (wanted.matches("input")) wanted.focus();
  else wanted.click();
});
