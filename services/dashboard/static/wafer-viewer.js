/* <wafer-viewer>: a wafer or an image with its windows and verdicts, to zoom into.
 *
 * Attributes: `map` (JSON geometry), `points` (binary places, see wafer-points.js), `windows` (JSON verdicts),
 * `picture` and `region` (PNG of the whole and of parts, images only), `defects` (JSON of one defect, exactly), `heat`
 * (JSON list of heat maps). The element's content (a picture) is what readers without scripts see; it goes away once the
 * first drawing stands.
 */

import { Camera } from "./wafer-camera.js";
import { colourise } from "./wafer-colours.js";
import { HeatLayer } from "./wafer-heat.js";
import { ImageLayer } from "./wafer-image.js";
import * as layers from "./wafer-layers.js";
import { PointCloud, SPAN, ZONES, markSize, nearest, rasterise } from "./wafer-points.js";
import { buildPanel } from "./wafer-panel.js";

const FULL = { u0: 0, v0: 0, u1: SPAN, v1: SPAN };
const DARK = matchMedia("(prefers-color-scheme: dark)");

class WaferViewer extends HTMLElement {
  camera = new Camera();
  shows = { defects: true, dies: true, windows: true };
  selected = null;
  boxes = [];
  cloud = null;
  filters = [];
  defect = null;

  async connectedCallback() {
    if (this.canvas) return;
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.context = this.canvas.getContext("2d");
    try {
      await this.#load();
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.panel = buildPanel(this);
    this.replaceChildren(this.panel.root);
    this.#listen();
    this.#showFragment();
    this.dataset.state = "ready";
  }

  async #load() {
    this.heat = new HeatLayer(this.getAttribute("heat"), () => this.redraw());
    const asked = [json(this.getAttribute("map")), json(this.getAttribute("windows")), this.heat.load()];
    const [geometry, boxes] = await Promise.all(asked);
    this.geometry = geometry;
    this.boxes = boxes.windows.filter((box) => !box.whole);
    this.frame = geometry.kind === "image" ? layers.imageFrame(geometry) : FULL;
    if (geometry.kind === "points") {
      const answer = await fetch(this.getAttribute("points"));
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      this.cloud = new PointCloud(await answer.arrayBuffer(), geometry.filters.length);
      const zones = this.cloud.counts(geometry.filters.length);
      const zone = { name: "Zone", values: ZONES.map(([code], k) => ({ code, count: zones[k] })) };
      this.filters = [...geometry.filters, zone].map((one) => ({ ...one, on: new Uint8Array(256).fill(1) }));
    } else if (geometry.kind === "image") {
      const [whole, region] = [this.getAttribute("picture"), this.getAttribute("region")];
      const size = Math.max(geometry.height, geometry.width);
      this.image = new ImageLayer({ whole, region, frame: this.frame, size, redraw: () => this.redraw() });
      await this.image.load();
    }
  }

  #fail(error) {
    const note = document.createElement("p");
    note.className = "viewer-failed";
    note.textContent = `The live map could not be loaded (${error.message}); this is the stored picture.`;
    this.append(note);
    this.dataset.state = "failed";
  }

  #listen() {
    new ResizeObserver(() => this.#resize()).observe(this.canvas.parentElement);
    DARK.addEventListener("change", () => {
      this.dies = null;
      this.redraw();
    });
    addEventListener("hashchange", () => this.#showFragment());
  }

  /** A link to #window-12 selects that window and moves there; one to #place-0.1-0.2-0.3-0.4 moves to that box. */
  #showFragment() {
    const [, n] = /^#window-(\d+)$/.exec(location.hash) ?? [], sides = /^#place-([\d.-]+)$/.exec(location.hash);
    if (sides) {
      const [top, left, bottom, right] = sides[1].split("-").map(Number);
      this.place = { top, left, bottom, right, kind: "unknown", words: "unknown" };
    }
    const box = sides ? this.place : this.boxes.find((one) => one.n === Number(n));
    if (!box) return;
    const w = this.frame.u1 - this.frame.u0, h = this.frame.v1 - this.frame.v0;
    this.selected = box.n ?? null;
    this.camera.show(
      this.frame.u0 + box.left * w, this.frame.v0 + box.top * h, this.frame.u0 + box.right * w, this.frame.v0 + box.bottom * h,
    );
    this.redraw();
  }

  #resize() {
    const density = Math.min(2, devicePixelRatio || 1), box = this.canvas.parentElement.getBoundingClientRect();
    const width = Math.round(box.width * density), height = Math.round(box.height * density);
    if (width === this.canvas.width && height === this.canvas.height) return;
    this.density = density;
    this.canvas.width = width;
    this.canvas.height = height;
    this.camera.resize(width, height);
    this.counts = new Uint32Array(width * height);
    this.inks = new ImageData(width, height);
    this.pixels = new Uint32Array(this.inks.data.buffer);
    this.sheet = new OffscreenCanvas(width, height);
    this.sheetContext = this.sheet.getContext("2d");
    this.draw();
  }

  /** Shows what the filters let through. */
  refilter() {
    this.cloud.show(this.filters.map((one) => one.on));
    this.redraw();
  }

  /** Asks for the defect shown nearest to the canvas pixel (x, y) and marks it; null if none is near. */
  async pick(x, y) {
    const [u, v] = this.camera.placeAt(x, y), reach = (14 * this.density) / this.camera.scale;
    const i = this.cloud ? nearest(this.cloud, u, v, reach) : -1;
    this.defect = null;
    if (i >= 0) {
      const query = new URLSearchParams({ x: (this.cloud.u[i] + 0.5) / SPAN, y: (this.cloud.v[i] + 0.5) / SPAN });
      this.defect = { u: this.cloud.u[i], v: this.cloud.v[i], ...(await json(`${this.getAttribute("defects")}/nearest?${query}`)) };
    }
    this.redraw();
    return this.defect;
  }

  /** Draw once before the next frame, however often it is asked for. */
  redraw() {
    this.pending ??= requestAnimationFrame(() => {
      this.pending = null;
      this.draw();
    });
  }

  draw() {
    if (!this.counts) return;
    const began = performance.now(), { context, camera, geometry } = this, colours = this.#colours();
    context.clearRect(0, 0, camera.width, camera.height);
    if (geometry.kind === "image") {
      this.image.draw(context, camera);
    } else this.#drawWafer(colours);
    this.heat.draw(context, camera, this.frame);
    if (this.shows.windows) layers.drawWindows(context, camera, this.boxes, this.frame, colours, this.selected);
    if (this.place) layers.drawWindows(context, camera, [this.place], this.frame, colours, null);
    if (geometry.diameter_um) layers.drawScaleBar(context, camera, geometry.diameter_um, colours.ink);
    this.dataset.drawMs = (performance.now() - began).toFixed(1);
    this.panel.drawn(this);
  }

  #drawWafer(colours) {
    const { context, camera, geometry } = this, disc = layers.discPath(camera);
    context.fillStyle = colours.disc;
    context.fill(disc);
    if (geometry.kind === "dies") {
      if (this.shows.defects) {
        this.dies ??= layers.dieMapPicture(geometry, colours);
        layers.drawPicture(context, camera, this.dies, this.frame, false);
      }
      if (this.shows.dies) layers.drawDieLines(context, camera, geometry, colours.disc);
    } else {
      if (this.shows.dies && geometry.dies) layers.drawDieGrid(context, camera, geometry, colours.grid);
      if (this.shows.defects) this.#drawPoints();
    }
    context.strokeStyle = colours.rim;
    context.lineWidth = 1.5;
    context.stroke(disc);
    if (this.defect) layers.drawMark(context, camera, this.defect, colours, this.density);
  }

  #drawPoints() {
    const { camera, counts, cloud } = this;
    const size = markSize(cloud.length, camera.zoom, this.density);
    const target = { width: camera.width, height: camera.height, counts };
    this.seen = rasterise(cloud, camera.view, target, size);
    colourise(counts, this.pixels, DARK.matches ? "dark" : "light", this.seen.max);
    this.sheetContext.putImageData(this.inks, 0, 0);
    this.context.drawImage(this.sheet, 0, 0);
  }

  #colours() {
    const style = getComputedStyle(this), of = (name) => style.getPropertyValue(`--${name}`).trim();
    return {
      disc: of("wafer-disc"), rim: of("wafer-rim"), grid: of("wafer-grid"), ink: of("ink-soft"), onTag: of("card"), halo: of("wafer-halo"),
      accent: of("accent"), pass: of("wafer-pass"), fail: of("wafer-fail"),
      normal: of("normal"), defect: of("defect"), unknown: of("unknown"), "not inspected": of("ink-soft"),
    };
  }

  /** What lies under the canvas pixel (x, y): micrometres from the centre, the nearest defect, the smallest window. */
  probe(x, y) {
    const [u, v] = this.camera.placeAt(x, y), { geometry } = this, found = { u, v };
    if (geometry.kind === "points") {
      const um = geometry.diameter_um / SPAN;
      const i = nearest(this.cloud, u, v, (6 * this.density) / this.camera.scale);
      const [pu, pv] = i < 0 ? [u, v] : [this.cloud.u[i], this.cloud.v[i]];
      Object.assign(found, { x_um: (pu - SPAN / 2) * um, y_um: (SPAN / 2 - pv) * um, defect: i >= 0 });
      if (i >= 0) found.groups = this.filters.map((one, f) => `${one.name.toLowerCase()} ${one.values[this.cloud.groups[f][i]]?.code}`);
    }
    if (this.shows.windows) {
      const inside = this.boxes.filter((box) => {
        const [left, top, w, h] = layers.windowRect(this.camera, box, this.frame);
        return x >= left && y >= top && x < left + w && y < top + h;
      });
      found.box = inside.sort((a, b) => area(a) - area(b))[0];
    }
    return found;
  }
}

function area(box) {
  return (box.right - box.left) * (box.bottom - box.top);
}

async function json(url) {
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  return answer.json();
}

customElements.define("wafer-viewer", WaferViewer);
