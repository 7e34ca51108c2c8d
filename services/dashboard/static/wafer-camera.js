/* Where the reader looks: pan and zoom over a square frame of SPAN × SPAN places, kept within reason. */

import { SPAN } from "./wafer-points.js";

const MARGIN = 0.04;
const MAX_ZOOM = 400;

export class Camera {
  constructor() {
    this.width = this.height = 1;
    this.zoom = 1;
    this.u = this.v = SPAN / 2; // place in the middle of the canvas
  }

  /** Tell the camera the canvas's size in its own pixels. */
  resize(width, height) {
    this.width = Math.max(1, width);
    this.height = Math.max(1, height);
    this.#settle();
  }

  /** Canvas pixels per place at zoom 1: the whole frame and a margin fit. */
  get base() {
    return (Math.min(this.width, this.height) * (1 - 2 * MARGIN)) / SPAN;
  }

  get scale() {
    return this.base * this.zoom;
  }

  /** Place at the canvas's top left corner and the scale: what the rasteriser wants. */
  get view() {
    return { u: this.u - this.width / 2 / this.scale, v: this.v - this.height / 2 / this.scale, scale: this.scale };
  }

  /** Place under the canvas pixel (x, y). */
  placeAt(x, y) {
    return [this.u + (x - this.width / 2) / this.scale, this.v + (y - this.height / 2) / this.scale];
  }

  /** Canvas pixel of the place (u, v). */
  pixelOf(u, v) {
    return [(u - this.u) * this.scale + this.width / 2, (v - this.v) * this.scale + this.height / 2];
  }

  /** Zoom by a factor so that the place under (x, y) stays there. */
  zoomAt(factor, x = this.width / 2, y = this.height / 2) {
    const [u, v] = this.placeAt(x, y);
    this.zoom = Math.max(1, Math.min(MAX_ZOOM, this.zoom * factor));
    this.u = u - (x - this.width / 2) / this.scale;
    this.v = v - (y - this.height / 2) / this.scale;
    this.#settle();
  }

  /** Move the map by (dx, dy) canvas pixels. */
  pan(dx, dy) {
    this.u -= dx / this.scale;
    this.v -= dy / this.scale;
    this.#settle();
  }

  /** Show the rectangle of places with some room around it. */
  show(u0, v0, u1, v1) {
    const room = 1.6 * Math.max(u1 - u0, v1 - v0, SPAN / MAX_ZOOM);
    this.zoom = Math.max(1, Math.min(MAX_ZOOM, SPAN / room));
    this.u = (u0 + u1) / 2;
    this.v = (v0 + v1) / 2;
    this.#settle();
  }

  /** Back to the whole frame. */
  reset() {
    this.zoom = 1;
    this.u = this.v = SPAN / 2;
  }

  #settle() {
    const halfU = this.width / 2 / this.scale, halfV = this.height / 2 / this.scale;
    this.u = keep(this.u, halfU);
    this.v = keep(this.v, halfV);
  }
}

function keep(centre, half) {
  const margin = SPAN * MARGIN;
  if (2 * half >= SPAN + 2 * margin) return SPAN / 2;
  return Math.max(half - margin, Math.min(SPAN - half + margin, centre));
}
