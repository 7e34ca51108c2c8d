/* Heat: how much of each class a densely read level showed where, laid over the map; switches, opacity and legend. */

import { drawPicture } from "./wafer-layers.js";

const FAINTEST = 0.05; // a class that is nowhere likelier than that needs no switch

export class HeatLayer {
  opacity = 0.7;

  /**
   * @param {string} address of the list of maps
   * @param {() => void} redraw what to call when a picture has come
   */
  constructor(address, redraw) {
    Object.assign(this, { address, redraw });
  }

  /** Asks which maps there are; their pictures come when they are switched on. */
  async load() {
    const answer = await fetch(this.address, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    const { maps } = await answer.json();
    this.maps = maps.filter((one) => one.greatest >= FAINTEST);
    const levels = new Set(this.maps.map((one) => one.level));
    for (const one of this.maps) {
      one.name = `${one.label ?? "unknown"}${levels.size > 1 ? `, level ${one.level}` : ""}`;
      one.on = false;
    }
  }

  async show(map, on) {
    map.on = on;
    this.redraw();
    if (!on || map.bitmap) return;
    const answer = await fetch(map.picture);
    if (!answer.ok) return; // past its time meanwhile: nothing is shown
    map.bitmap = await createImageBitmap(await answer.blob());
    this.redraw();
  }

  draw(context, camera, { u0, v0, u1, v1 }) {
    const [x0, y0] = camera.pixelOf(u0, v0), [x1, y1] = camera.pixelOf(u1, v1), w = u1 - u0, h = v1 - v0;
    context.save();
    context.beginPath();
    context.rect(x0, y0, x1 - x0, y1 - y0);
    context.clip();
    context.globalAlpha = this.opacity;
    for (const { on, bitmap, top, left, bottom, right } of this.maps) {
      const box = { u0: u0 + left * w, v0: v0 + top * h, u1: u0 + right * w, v1: v0 + bottom * h };
      if (on && bitmap) drawPicture(context, camera, bitmap, box, camera.zoom < 12);
    }
    context.restore();
  }
}

/** The switches of the classes and how dense they are drawn; `toggle` makes one switch. */
export function heatMenu(heat, toggle, shown) {
  const details = document.createElement("details"), list = document.createElement("div"), name = document.createElement("summary");
  details.className = "viewer-filter";
  list.className = "viewer-filter-list";
  name.textContent = "Heat";
  for (const map of heat.maps) {
    const act = (on) => {
      heat.show(map, on);
      const count = heat.maps.filter((one) => one.on).length;
      name.textContent = count ? `Heat (${count} of ${heat.maps.length})` : "Heat";
      shown();
    };
    list.append(toggle(`${map.name} · up to ${Math.round(map.greatest * 100)} %`, false, act));
  }
  list.append(slider(heat));
  details.append(name, list);
  details.addEventListener("focusout", (event) => {
    if (!details.contains(event.relatedTarget)) details.open = false;
  });
  return details;
}

function slider(heat) {
  const label = document.createElement("label"), input = document.createElement("input");
  label.className = "viewer-opacity";
  Object.assign(input, { type: "range", min: 0.1, max: 1, step: 0.05, value: heat.opacity });
  input.addEventListener("input", () => {
    heat.opacity = Number(input.value);
    heat.redraw();
  });
  label.append("Opacity ", input);
  return label;
}

/** What the colours of the maps that are switched on mean: from nothing to certain. */
export function heatLegend(heat) {
  return heat.maps.filter((one) => one.on).map((map) => {
    const key = document.createElement("span"), ramp = document.createElement("span");
    key.className = "viewer-chip viewer-heat";
    ramp.className = "viewer-ramp";
    ramp.style.background = `linear-gradient(to right, ${map.colours.join(", ")})`;
    key.append(`${map.name} 0`, ramp, "100 %");
    return key;
  });
}
