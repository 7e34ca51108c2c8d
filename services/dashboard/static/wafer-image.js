/* An aerial image as tiles: a coarse picture of the whole at once, and over it the tiles in view, each as sharp as the
 * screen can show. Tile (level, row, column) is one of 2^level × 2^level equal parts of the image, so that the browser
 * keeps what it has seen; a tile that has not come yet shows the coarser ones below it. */

import { drawPicture } from "./wafer-layers.js";

const TILE_PX = 512;
const KEPT = 192;
const AT_ONCE = 4;

/** Level at which a tile has about one pixel for each of the screen's, and none finer than the image itself. */
export function levelFor(shownPx, imagePx) {
  const finest = Math.max(0, Math.ceil(Math.log2(imagePx / TILE_PX)));
  return Math.min(finest, Math.max(0, Math.ceil(Math.log2(shownPx / TILE_PX) - 0.25)));
}

/** Tiles of a level that meet a part of the image (in fractions of it), nearest to the middle first. */
export function tilesIn({ left, top, right, bottom }, level) {
  const count = 2 ** level, tiles = [];
  const last = (edge) => Math.min(count - 1, Math.max(0, Math.ceil(edge * count) - 1));
  const first = (edge) => Math.min(count - 1, Math.max(0, Math.floor(edge * count)));
  for (let row = first(top); row <= last(bottom); row++) {
    for (let column = first(left); column <= last(right); column++) tiles.push({ level, row, column });
  }
  const [x, y] = [((left + right) / 2) * count - 0.5, ((top + bottom) / 2) * count - 0.5];
  const far = (tile) => Math.hypot(tile.column - x, tile.row - y);
  return tiles.sort((a, b) => far(a) - far(b));
}

export class ImageLayer {
  tiles = new Map(); // name → {frame, picture}; the one used last is last
  wanted = [];
  asked = new Set();
  failed = new Set();

  /**
   * @param {{whole: string, region: string, frame: object, size: number, redraw: () => void}} options addresses of the
   *   coarse picture and of parts, the image's place in the view, its longer side in pixels, and what to call when a
   *   tile has come
   */
  constructor(options) {
    Object.assign(this, options);
  }

  async load() {
    this.coarse = await picture(this.whole);
  }

  draw(context, camera) {
    const { u0, v0, u1, v1 } = this.frame, { view, width, height } = camera;
    drawPicture(context, camera, this.coarse, this.frame, camera.zoom < 4);
    const shown = Math.max(u1 - u0, v1 - v0) * camera.scale, level = levelFor(shown, this.size);
    if (2 ** level * TILE_PX <= Math.max(this.coarse.width, this.coarse.height)) return; // the coarse picture is as sharp
    const part = {
      left: clamp((view.u - u0) / (u1 - u0)), right: clamp((view.u + width / view.scale - u0) / (u1 - u0)),
      top: clamp((view.v - v0) / (v1 - v0)), bottom: clamp((view.v + height / view.scale - v0) / (v1 - v0)),
    };
    const inView = tilesIn(part, level), native = shown > 2 * this.size; // pixels of the image itself keep their edges
    for (let coarser = 1; coarser <= level; coarser++) {
      for (const tile of tilesIn(part, coarser)) this.#place(context, camera, tile, native);
    }
    this.wanted = inView.filter((tile) => !this.tiles.has(nameOf(tile)) && !this.failed.has(nameOf(tile)));
    this.#ask();
  }

  #place(context, camera, tile, native) {
    const name = nameOf(tile), found = this.tiles.get(name);
    if (!found) return;
    this.tiles.delete(name);
    this.tiles.set(name, found);
    drawPicture(context, camera, found.picture, found.frame, !native);
  }

  /** Asks for what is wanted now; what was wanted and is out of view meanwhile is not asked for any more. */
  #ask() {
    for (const tile of this.wanted) {
      if (this.asked.size >= AT_ONCE) return;
      if (!this.asked.has(nameOf(tile))) this.#fetch(tile);
    }
  }

  async #fetch(tile) {
    const name = nameOf(tile), count = 2 ** tile.level, { u0, v0, u1, v1 } = this.frame;
    const [left, top] = [tile.column / count, tile.row / count], side = 1 / count;
    const query = { top, left, bottom: top + side, right: left + side, size: TILE_PX };
    this.asked.add(name);
    try {
      const found = await picture(`${this.region}?${new URLSearchParams(query)}`);
      const frame = {
        u0: u0 + left * (u1 - u0), u1: u0 + (left + side) * (u1 - u0), v0: v0 + top * (v1 - v0), v1: v0 + (top + side) * (v1 - v0),
      };
      this.tiles.set(name, { frame, picture: found });
      while (this.tiles.size > KEPT) this.tiles.delete(this.tiles.keys().next().value);
    } catch {
      this.failed.add(name); // the coarser picture stays
    } finally {
      this.asked.delete(name);
      this.redraw();
    }
  }
}

function nameOf({ level, row, column }) {
  return `${level}/${row}/${column}`;
}

function clamp(share) {
  return Math.max(0, Math.min(1, share));
}

async function picture(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  return createImageBitmap(await answer.blob());
}
