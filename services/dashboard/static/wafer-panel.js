/* Around the map: buttons, switches, legend, read-out, and what mouse, touch and keyboard do to the camera. */

import { rampCss } from "./wafer-colours.js";
import { showDefect } from "./wafer-defect.js";
import { heatLegend, heatMenu } from "./wafer-heat.js";

const DARK = matchMedia("(prefers-color-scheme: dark)");
const KEYS = {
  "+": (c) => c.zoomAt(1.5), "=": (c) => c.zoomAt(1.5), "-": (c) => c.zoomAt(1 / 1.5), 0: (c) => c.reset(),
  ArrowLeft: (c) => c.pan(60, 0), ArrowRight: (c) => c.pan(-60, 0),
  ArrowUp: (c) => c.pan(0, 60), ArrowDown: (c) => c.pan(0, -60),
};

/** Builds everything around `viewer.canvas`; returns its root element and `drawn(viewer)`, called after each drawing. */
export function buildPanel(viewer) {
  const root = el("div", "viewer");
  const stage = el("div", "viewer-stage");
  const readout = el("output", "viewer-readout");
  const zoom = el("span", "viewer-zoom");
  readout.textContent = "Move over the map to read it";
  viewer.canvas.setAttribute("role", "application");
  viewer.canvas.setAttribute(
    "aria-label", "Map. Arrow keys move, plus and minus zoom, 0 shows the whole, Enter picks the defect nearest to the middle. The verdict is stated beside it in words.",
  );
  const tip = el("p", "viewer-tip");
  const bar = el("div", "viewer-bar");
  const key = legend(viewer);
  bar.append(switches(viewer, key), buttons(viewer, zoom));
  stage.append(viewer.canvas, tip);
  const { kind, width, height } = viewer.geometry;
  if (kind === "image") stage.style.aspectRatio = String(Math.max(1, width / height));
  const details = el("div", "viewer-defect");
  root.append(bar, stage, readout, details);
  root.append(key.root);
  steer(viewer, stage, readout, tip);
  picking(viewer, details);
  return {
    root,
    drawn() {
      zoom.textContent = `${viewer.camera.zoom < 10 ? viewer.camera.zoom.toFixed(1) : Math.round(viewer.camera.zoom)}×`;
      key.update();
    },
  };
}

function el(name, className = "", text = "") {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

function buttons(viewer, zoom) {
  const box = el("div", "viewer-buttons");
  const add = (text, label, act) => {
    const button = el("button", "viewer-button", text);
    button.type = "button";
    button.setAttribute("aria-label", label);
    button.title = label;
    button.addEventListener("click", () => {
      act(viewer.camera);
      viewer.redraw();
    });
    box.append(button);
  };
  add("+", "Zoom in", KEYS["+"]);
  add("−", "Zoom out", KEYS["-"]);
  add("⤢", "Show the whole", KEYS[0]);
  box.prepend(zoom);
  return box;
}

function switches(viewer, key) {
  const box = el("fieldset", "viewer-switches");
  box.append(el("legend", "sr-only", "Shown on the map"));
  const names = { defects: viewer.geometry.kind === "dies" ? "Failed dies" : "Defects", dies: "Die grid", windows: "Windows" };
  const useful = {
    defects: viewer.geometry.kind !== "image",
    dies: viewer.geometry.kind === "dies" || Boolean(viewer.geometry.dies),
    windows: viewer.boxes.length > 0,
  };
  for (const [name, text] of Object.entries(names)) {
    if (!useful[name]) continue;
    box.append(
      toggle(text, true, (on) => {
        viewer.shows[name] = on;
        viewer.redraw();
      }),
    );
  }
  for (const filter of viewer.filters) box.append(filterMenu(viewer, filter));
  if (viewer.heat.maps.length) box.append(heatMenu(viewer.heat, toggle, key.reheat));
  return box;
}

function toggle(text, checked, act) {
  const label = el("label", "viewer-switch"), input = el("input");
  input.type = "checkbox";
  input.checked = checked;
  input.addEventListener("change", () => act(input.checked));
  label.append(input, ` ${text}`);
  return label;
}

function filterMenu(viewer, filter) {
  const details = el("details", "viewer-filter"), list = el("div", "viewer-filter-list"), name = el("summary", "", filter.name);
  details.append(name, list);
  const all = toggle("all", true, (on) => {
    for (const input of list.querySelectorAll("input")) if (input.checked !== on) input.click();
  });
  list.append(all);
  filter.values.forEach((one, index) => {
    const act = (on) => {
      filter.on[index] = on ? 1 : 0;
      const shown = filter.values.filter((_, k) => filter.on[k]).length;
      name.textContent = shown < filter.values.length ? `${filter.name} (${shown} of ${filter.values.length})` : filter.name;
      viewer.refilter();
    };
    list.append(toggle(`${one.code} · ${one.count.toLocaleString()}`, true, act));
  });
  details.addEventListener("focusout", (event) => {
    if (!details.contains(event.relatedTarget)) details.open = false;
  });
  return details;
}

/** A click, or Enter for the middle of the map, picks a defect. */
function picking(viewer, details) {
  const { canvas } = viewer;
  let from = null;
  const pick = async (x, y) => showDefect(details, await viewer.pick(x, y));
  canvas.addEventListener("pointerdown", (event) => (from = [event.offsetX, event.offsetY]));
  canvas.addEventListener("pointerup", (event) => {
    const moved = from && Math.hypot(event.offsetX - from[0], event.offsetY - from[1]);
    if (moved !== null && moved < 4) pick(event.offsetX * viewer.density, event.offsetY * viewer.density);
  });
  canvas.addEventListener("keydown", (event) => {
    if (event.key === "Enter") pick(canvas.width / 2, canvas.height / 2);
  });
}

function legend(viewer) {
  const root = el("div", "viewer-legend"), ramp = el("span", "viewer-ramp"), most = el("span"), heat = el("span", "viewer-heats");
  if (viewer.geometry.kind === "points") root.append(el("span", "", "1"), ramp, most);
  if (viewer.geometry.kind === "dies") root.append(chip("fail", "failed die"), chip("pass", "passed die"));
  for (const kind of new Set(viewer.boxes.map((box) => box.kind))) root.append(chip(kind.replace(" ", "-"), `${kind} window`));
  root.append(heat);
  return {
    root,
    reheat() {
      heat.replaceChildren(...heatLegend(viewer.heat));
    },
    update() {
      if (!viewer.seen) return;
      most.textContent = `${viewer.seen.max.toLocaleString()} defects per pixel · ${viewer.seen.visible.toLocaleString()} in view`;
      ramp.style.background = `linear-gradient(to right, ${rampCss(DARK.matches ? "dark" : "light").join(", ")})`;
    },
  };
}

function chip(kind, text) {
  const label = el("span", `viewer-chip viewer-chip-${kind}`);
  label.append(el("i"), ` ${text}`);
  return label;
}

function steer(viewer, stage, readout, tip) {
  const { canvas, camera } = viewer, fingers = new Map();
  const at = (event) => [event.offsetX * viewer.density, event.offsetY * viewer.density];
  canvas.addEventListener("keydown", (event) => {
    const act = KEYS[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act(camera);
    viewer.redraw();
  });
  canvas.addEventListener("wheel", (event) => {
    // A page that cannot be scrolled past its map is worse than a map that wants a click first.
    if (document.activeElement !== canvas && !event.ctrlKey) return;
    event.preventDefault();
    camera.zoomAt(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0018)), ...at(event));
    viewer.redraw();
  }, { passive: false });
  canvas.addEventListener("dblclick", (event) => {
    camera.zoomAt(2.5, ...at(event));
    viewer.redraw();
  });
  canvas.addEventListener("pointerdown", (event) => {
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, at(event));
  });
  const lift = (event) => fingers.delete(event.pointerId);
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
  canvas.addEventListener("pointermove", (event) => {
    if (fingers.has(event.pointerId)) drag(viewer, fingers, event.pointerId, at(event));
    else describe(viewer, readout, tip, at(event), event);
  });
  canvas.addEventListener("pointerleave", () => tip.replaceChildren());
}

function drag(viewer, fingers, id, [x, y]) {
  const [x0, y0] = fingers.get(id), other = [...fingers].find(([key]) => key !== id)?.[1];
  fingers.set(id, [x, y]);
  if (other) {
    const before = Math.hypot(x0 - other[0], y0 - other[1]), after = Math.hypot(x - other[0], y - other[1]);
    if (before > 0) viewer.camera.zoomAt(after / before, (x + other[0]) / 2, (y + other[1]) / 2);
    viewer.camera.pan((x - x0) / 2, (y - y0) / 2);
  } else viewer.camera.pan(x - x0, y - y0);
  viewer.redraw();
}

function describe(viewer, readout, tip, [x, y], event) {
  const found = viewer.probe(x, y), parts = [];
  if (found.x_um !== undefined) {
    const mm = (um) => (um / 1000).toFixed(3);
    parts.push(`${found.defect ? "defect at" : ""} x ${mm(found.x_um)} mm, y ${mm(found.y_um)} mm`.trim());
    if (found.groups) parts.push(...found.groups);
  }
  if (found.box) parts.push(`window ${found.box.n}: ${found.box.words}`);
  readout.textContent = parts.join(" · ") || "Move over the map to read it";
  tip.textContent = found.box ? found.box.words : "";
  tip.style.transform = `translate(${event.offsetX + 14}px, ${event.offsetY + 14}px)`;
}
