/* An aerial image: a coarse picture of the whole at once, and the part in view in full sharpness once the hand rests. */

import { drawPicture } from "./wafer-layers.js";

const REST_MS = 220;

export class ImageLayer {
  /**
   * @param {{whole: string, region: string, frame: object, redraw: () => void}} options addresses of the coarse picture
   *   and of parts, the image's place in the view, and what to call when a part has come
   */
  constructor(options) {
    Object.assign(this, options);
  }

  async load() {
    this.coarse = await picture(this.whole);
  }

  draw(context, camera) {
    drawPicture(context, camera, this.coarse, this.frame, camera.zoom < 4);
    if (this.part) drawPicture(context, camera, this.part.picture, this.part.frame, camera.zoom < 8);
    clearTimeout(this.resting);
    if (camera.zoom >= 1.3) this.resting = setTimeout(() => this.#sharpen(camera), REST_MS);
  }

  async #sharpen(camera) {
    const { u0, v0, u1, v1 } = this.frame, { view, width, height } = camera, w = u1 - u0, h = v1 - v0;
    const left = clamp((view.u - u0) / w), right = clamp((view.u + width / view.scale - u0) / w);
    const top = clamp((view.v - v0) / h), bottom = clamp((view.v + height / view.scale - v0) / h);
    const url = `${this.region}?${new URLSearchParams({ top, left, bottom, right, size: Math.min(1600, width) })}`;
    if (left >= right || top >= bottom || url === this.part?.url) return;
    try {
      const frame = { u0: u0 + left * w, u1: u0 + right * w, v0: v0 + top * h, v1: v0 + bottom * h };
      this.part = { url, frame, picture: await picture(url) };
      this.redraw();
    } catch {
      // the coarse picture stays
    }
  }
}

function clamp(share) {
  return Math.max(0, Math.min(1, share));
}

async function picture(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  return createImageBitmap(await answer.blob());
}
