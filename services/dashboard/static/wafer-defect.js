/* One picked defect below the map: its exact place to copy, what the file says of it, and the tool's pictures. */

import { copyButton } from "./copying.js";

const MOST_FACTS = 24;

/** Fills `box` with a defect as the API tells it; null empties it. */
export function showDefect(box, defect) {
  box.replaceChildren();
  if (!defect) return;
  const place = `x ${mm(defect.x_um)} mm, y ${mm(defect.y_um)} mm`;
  const head = el("div", "viewer-defect-head");
  const copy = copyButton("Copy place", () => `${mm(defect.x_um)}\t${mm(defect.y_um)}`);
  head.append(el("strong", "", `Defect ${defect.columns.DEFECTID ?? defect.n}`), el("span", "", place), copy);
  const facts = el("dl", "");
  for (const [name, value] of Object.entries(defect.columns).slice(0, MOST_FACTS)) {
    const pair = el("div", "");
    pair.append(el("dt", "", name), el("dd", "", value ?? "–"));
    facts.append(pair);
  }
  box.append(head, facts);
  if (!defect.pictures.length) return;
  const pictures = el("div", "viewer-pictures");
  defect.pictures.forEach((address, k) => {
    const picture = el("img", "");
    picture.src = address;
    picture.alt = `Picture ${k + 1} of defect ${defect.columns.DEFECTID ?? defect.n}`;
    picture.addEventListener("error", () => picture.replaceWith(el("span", "soft", "The picture is not beside the wafer's file.")));
    pictures.append(picture);
  });
  box.append(pictures);
}

function mm(um) {
  return (um / 1000).toFixed(4);
}

function el(name, className, text = "") {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.textContent = text;
  return element;
}
