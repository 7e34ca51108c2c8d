/* A million defects as counts per pixel: pure functions on typed arrays, no canvas and no network.
 *
 * Places are uint16 fractions of the wafer's frame: u from left to right, v from top to bottom, 0..65535.
 */

export const SPAN = 65536;
const CELLS = 32;
const CELL_SHIFT = 11; // 65536 / 32 = 2^11 places a cell

/** Rings people speak of, by the share of the radius where they end. */
export const ZONES = [["centre", 0.5], ["middle", 0.85], ["edge", Infinity]];

/**
 * Points as they come over the wire, sorted into square cells so that a zoomed view touches only what it shows.
 *
 * The wire format: N little-endian uint16 u, then N uint16 v, then for each of `filters` N uint8 indices of values.
 * After the filters of the file there is one more group: the zone.
 */
export class PointCloud {
  constructor(buffer, filters = 0) {
    const n = Math.floor(buffer.byteLength / (4 + filters));
    const u = new Uint16Array(buffer, 0, n);
    const v = new Uint16Array(buffer, 2 * n, n);
    const told = Array.from({ length: filters }, (_, k) => new Uint8Array(buffer, (4 + k) * n, n));
    this.length = n;
    this.starts = new Uint32Array(CELLS * CELLS + 1);
    for (let i = 0; i < n; i++) this.starts[cellOf(u[i], v[i]) + 1]++;
    for (let c = 0; c < CELLS * CELLS; c++) this.starts[c + 1] += this.starts[c];
    const next = this.starts.slice();
    this.u = new Uint16Array(n);
    this.v = new Uint16Array(n);
    this.groups = Array.from({ length: filters + 1 }, () => new Uint8Array(n));
    this.mask = null;
    for (let i = 0; i < n; i++) {
      const k = next[cellOf(u[i], v[i])]++;
      this.u[k] = u[i];
      this.v[k] = v[i];
      for (let f = 0; f < filters; f++) this.groups[f][k] = told[f][i];
      this.groups[filters][k] = zoneOf(u[i], v[i]);
    }
  }

  /** Shows only points whose value is on in every group; `on[f]` has a flag for each value, all on = no mask. */
  show(on) {
    const asked = this.groups.map((group, f) => [group, on[f]]).filter(([, flags]) => flags.includes(0));
    this.mask = asked.length ? new Uint8Array(this.length).fill(1) : null;
    for (const [group, flags] of asked) for (let i = 0; i < this.length; i++) this.mask[i] &= flags[group[i]];
  }

  /** How many points have each value of a group. */
  counts(f) {
    const found = new Uint32Array(256);
    for (const value of this.groups[f]) found[value]++;
    return found;
  }

  /** Calls `visit(from, to)` for each run of points whose cell meets the rectangle [u0, u1] × [v0, v1]. */
  runs(u0, v0, u1, v1, visit) {
    const left = clampCell(u0), right = clampCell(u1), top = clampCell(v0), bottom = clampCell(v1);
    for (let row = top; row <= bottom; row++) {
      const from = this.starts[row * CELLS + left], to = this.starts[row * CELLS + right + 1];
      if (to > from) visit(from, to);
    }
  }
}

function cellOf(u, v) {
  return (v >> CELL_SHIFT) * CELLS + (u >> CELL_SHIFT);
}

function zoneOf(u, v) {
  const radius = Math.hypot(u - SPAN / 2, v - SPAN / 2) / (SPAN / 2);
  return ZONES.findIndex(([, end]) => radius < end);
}

function clampCell(place) {
  return Math.max(0, Math.min(CELLS - 1, Math.floor(place) >> CELL_SHIFT));
}

/**
 * Counts the points per pixel of a view.
 *
 * @param {PointCloud} cloud
 * @param {{u: number, v: number, scale: number}} view place at the canvas's top left corner; pixels per place
 * @param {{width: number, height: number, counts: Uint32Array}} target cleared first; counts has width × height items
 * @param {number} size side of a point's mark in pixels
 * @returns {{visible: number, max: number}} points drawn and the largest count of a pixel
 */
export function rasterise(cloud, view, target, size = 1) {
  const { width, height, counts } = target;
  const { u: U, v: V, mask } = cloud;
  const { u: u0, v: v0, scale } = view;
  counts.fill(0);
  let visible = 0, max = 0;
  const back = (size - 1) >> 1;
  const run = (from, to) => {
    for (let i = from; i < to; i++) {
      if (mask && !mask[i]) continue;
      const x = Math.floor((U[i] - u0) * scale), y = Math.floor((V[i] - v0) * scale);
      if (x < 0 || y < 0 || x >= width || y >= height) continue;
      visible++;
      if (size === 1) {
        const count = ++counts[y * width + x];
        if (count > max) max = count;
        continue;
      }
      const x1 = Math.min(width, x - back + size), y1 = Math.min(height, y - back + size);
      for (let yy = Math.max(0, y - back); yy < y1; yy++) {
        for (let k = yy * width + Math.max(0, x - back), end = yy * width + x1; k < end; k++) {
          const count = ++counts[k];
          if (count > max) max = count;
        }
      }
    }
  };
  cloud.runs(u0, v0, u0 + width / scale, v0 + height / scale, run);
  return { visible, max };
}

/** Index of the point shown nearest to (u, v) within `reach` places, or -1. */
export function nearest(cloud, u, v, reach) {
  let best = -1, bestSquare = reach * reach;
  cloud.runs(u - reach, v - reach, u + reach, v + reach, (from, to) => {
    for (let i = from; i < to; i++) {
      if (cloud.mask && !cloud.mask[i]) continue;
      const du = cloud.u[i] - u, dv = cloud.v[i] - v, square = du * du + dv * dv;
      if (square <= bestSquare) {
        bestSquare = square;
        best = i;
      }
    }
  });
  return best;
}

/**
 * Side of a mark: few points get large marks so that one defect is seen, many get one pixel so that they do not merge.
 * Depends on the number of points and the zoom alone: marks do not change size while the map is moved.
 */
export function markSize(total, zoom, density = 1) {
  const perView = total / (zoom * zoom);
  const size = perView > 150000 ? 1 : perView > 12000 ? 2 : perView > 2500 ? 3 : perView > 300 ? 4 : 5;
  return Math.max(1, Math.round(size * density));
}
