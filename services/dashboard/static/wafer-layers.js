/* What is drawn besides the defects: the disc and its notch, the dies, the windows and their verdicts, a scale bar. */

import { SPAN } from "./wafer-points.js";

const NOTCH_DEPTH = 0.011;

/** The wafer's disc with its notch at the bottom, ready to fill or stroke. */
export function discPath(camera) {
  const [x, y] = camera.pixelOf(SPAN / 2, SPAN / 2), r = (SPAN / 2) * camera.scale, path = new Path2D();
  const half = NOTCH_DEPTH * 1.1;
  path.arc(x, y, r, Math.PI / 2 + half, Math.PI / 2 - half + 2 * Math.PI);
  path.quadraticCurveTo(x, y + r * (1 - 3 * NOTCH_DEPTH), x + r * Math.cos(Math.PI / 2 + half), y + r * Math.sin(Math.PI / 2 + half));
  path.closePath();
  return path;
}

/** The frame of an image: its longer side spans the view. */
export function imageFrame(geometry) {
  const longer = Math.max(geometry.height, geometry.width);
  const w = (SPAN * geometry.width) / longer, h = (SPAN * geometry.height) / longer;
  return { u0: (SPAN - w) / 2, v0: (SPAN - h) / 2, u1: (SPAN + w) / 2, v1: (SPAN + h) / 2 };
}

/** Outlines of the dies that were inspected; drawn only where a die is large enough to be told apart. */
export function drawDieGrid(context, camera, geometry, colour) {
  const { corners_um: corners, pitch_um: [px, py] } = geometry.dies, d = geometry.diameter_um, toPlace = SPAN / d;
  const w = px * toPlace * camera.scale, h = py * toPlace * camera.scale;
  if (Math.min(w, h) < 3) return;
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.beginPath();
  for (const [x, y] of corners) {
    const [left, top] = camera.pixelOf((x + d / 2) * toPlace, (d / 2 - y - py) * toPlace);
    if (left > camera.width || top > camera.height || left + w < 0 || top + h < 0) continue;
    context.rect(Math.round(left) + 0.5, Math.round(top) + 0.5, Math.round(w), Math.round(h));
  }
  context.stroke();
}

/** A die map as a small picture, one pixel per die; row 0 at the top. */
export function dieMapPicture(geometry, colours) {
  const picture = new OffscreenCanvas(geometry.columns, geometry.rows), context = picture.getContext("2d");
  geometry.states.forEach((line, row) => {
    for (let column = 0; column < line.length; column++) {
      const state = line[column];
      if (state === "0") continue;
      context.fillStyle = state === "2" ? colours.fail : colours.pass;
      context.fillRect(column, row, 1, 1);
    }
  });
  return picture;
}

/** Draws a picture over the whole frame (a die map, an image) without smoothing its pixels away. */
export function drawPicture(context, camera, picture, frame, smooth) {
  const [x0, y0] = camera.pixelOf(frame.u0, frame.v0), [x1, y1] = camera.pixelOf(frame.u1, frame.v1);
  context.imageSmoothingEnabled = smooth;
  context.drawImage(picture, x0, y0, x1 - x0, y1 - y0);
}

/** Hairlines between the dies of a die map, where they are large enough. */
export function drawDieLines(context, camera, geometry, colour) {
  const step = (SPAN * camera.scale) / Math.max(geometry.columns, geometry.rows);
  if (step < 7) return;
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.beginPath();
  for (let c = 0; c <= geometry.columns; c++) {
    const [x] = camera.pixelOf((SPAN * c) / geometry.columns, 0);
    context.moveTo(Math.round(x) + 0.5, 0);
    context.lineTo(Math.round(x) + 0.5, camera.height);
  }
  for (let r = 0; r <= geometry.rows; r++) {
    const [, y] = camera.pixelOf(0, (SPAN * r) / geometry.rows);
    context.moveTo(0, Math.round(y) + 0.5);
    context.lineTo(camera.width, Math.round(y) + 0.5);
  }
  context.stroke();
}

/** A window's rectangle in canvas pixels: [left, top, width, height]. */
export function windowRect(camera, box, frame) {
  const w = frame.u1 - frame.u0, h = frame.v1 - frame.v0;
  const [x0, y0] = camera.pixelOf(frame.u0 + box.left * w, frame.v0 + box.top * h);
  const [x1, y1] = camera.pixelOf(frame.u0 + box.right * w, frame.v0 + box.bottom * h);
  return [x0, y0, x1 - x0, y1 - y0];
}

/** Windows with their verdicts: what is normal stays faint, what is unknown is dashed as well as coloured. */
export function drawWindows(context, camera, boxes, frame, colours, selected) {
  for (const box of boxes) {
    const [x, y, w, h] = windowRect(camera, box, frame);
    if (x > camera.width || y > camera.height || x + w < 0 || y + h < 0) continue;
    const quiet = box.kind === "normal" || box.kind === "not inspected";
    const line = box.n === selected ? 3.5 : quiet ? 1 : 1.8;
    if (!quiet) {
      context.strokeStyle = colours.halo; // frames must be seen on any picture
      context.lineWidth = line + 2;
      context.strokeRect(x + 1, y + 1, w - 2, h - 2);
    }
    context.strokeStyle = colours[box.kind];
    context.globalAlpha = quiet ? 0.35 : 1;
    context.lineWidth = line;
    context.setLineDash(box.kind === "unknown" ? [7, 4] : []);
    context.strokeRect(x + 1, y + 1, w - 2, h - 2);
    if (box.n === selected) {
      context.globalAlpha = 0.12;
      context.fillStyle = colours[box.kind];
      context.fillRect(x, y, w, h);
    }
    context.globalAlpha = 1;
    context.setLineDash([]);
    if (!quiet && w > 44) drawTag(context, box, x, y, colours);
  }
}

/** What a window shows, above its corner; wider than a small window, because half a word tells nothing. */
function drawTag(context, box, x, y, colours) {
  const text = box.label ?? (box.likeliest ? `unknown (nearest ${box.likeliest})` : "unknown");
  context.font = "600 11px system-ui, sans-serif";
  context.fillStyle = colours[box.kind];
  context.fillRect(x, y - 16, context.measureText(text).width + 10, 17);
  context.fillStyle = colours.onTag;
  context.textBaseline = "middle";
  context.fillText(text, x + 5, y - 7);
}

/** A ring around the defect that was picked. */
export function drawMark(context, camera, { u, v }, colours, density) {
  const [x, y] = camera.pixelOf(u, v);
  for (const [colour, width] of [[colours.halo, 5], [colours.accent, 2.5]]) {
    context.strokeStyle = colour;
    context.lineWidth = width * density;
    context.beginPath();
    context.arc(x, y, 11 * density, 0, 2 * Math.PI);
    context.stroke();
  }
}

/** A bar of a round length in millimetres at the lower left corner. */
export function drawScaleBar(context, camera, diameterUm, colour) {
  const pixelsPerUm = (SPAN / diameterUm) * camera.scale, goal = 110 / pixelsPerUm;
  const power = 10 ** Math.floor(Math.log10(goal));
  const length = [5, 2, 1].map((k) => k * power).find((k) => k <= goal) ?? power;
  const x = 14, y = camera.height - 16, w = length * pixelsPerUm;
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(x, y - 5);
  context.lineTo(x, y);
  context.lineTo(x + w, y);
  context.lineTo(x + w, y - 5);
  context.stroke();
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "bottom";
  context.fillText(length >= 1000 ? `${length / 1000} mm` : `${length} µm`, x + 5, y - 3);
}
