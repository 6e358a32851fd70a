// A picture with its values over it: red raises, blue lowers, the slider says how much of the picture stays seen.
import { el } from "../../dom.js";
import { minus, plus } from "./scale.js";

const SHOWN_PX = 360;

/** Values of a row (channels, height, width) -> one a pixel, with the largest size. */
function perPixel(values, shape) {
  const [high, wide] = shape.slice(-2);
  const channels = values.length / (high * wide);
  const last = shape.length === 3 && shape[2] <= 4 && shape[0] > 4; // (height, width, channels)
  const [h, w] = last ? [shape[0], shape[1]] : [high, wide];
  const count = last ? shape[2] : channels;
  const found = new Float64Array(h * w);
  for (let pixel = 0; pixel < found.length; pixel += 1)
    for (let c = 0; c < count; c += 1) found[pixel] += values[last ? pixel * count + c : c * h * w + pixel];
  let most = 0;
  for (const value of found) most = Math.max(most, Math.abs(value));
  return { found, most, high: h, wide: w };
}

export function picture({ words, theme }, image, values, shape) {
  const { found, most, high, wide } = perPixel(values, shape);
  const zoom = Math.max(1, Math.floor(SHOWN_PX / Math.max(high, wide)));
  const canvas = el("canvas.overlay", {
    width: wide * zoom, height: high * zoom, role: "img", "aria-label": words.t("explain.picture_label"),
  });
  const pen = canvas.getContext("2d");
  const heat = new ImageData(wide, high);
  const slider = el("input", { type: "range", min: "0", max: "100", value: "70", id: "overlay-opacity", oninput: draw });
  let source = null;

  async function load() {
    if (!image) return draw();
    const raw = Uint8Array.from(atob(image), (c) => c.charCodeAt(0));
    source = await createImageBitmap(new Blob([raw]));
    draw();
  }

  function draw() {
    const parts = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
    const [raising, lowering] = [parts(plus()), parts(minus())];
    found.forEach((value, at) => {
      const part = value < 0 ? lowering : raising;
      const size = most ? Math.abs(value) / most : 0;
      heat.data.set([...part, Math.round(255 * size)], 4 * at);
    });
    pen.imageSmoothingEnabled = false;
    pen.globalAlpha = 1;
    pen.fillStyle = theme.colours.ground;
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.filter = "grayscale(1)"; // so that colours are the values
    if (source) pen.drawImage(source, 0, 0, canvas.width, canvas.height);
    pen.filter = "none";
    const layer = new OffscreenCanvas(wide, high);
    layer.getContext("2d").putImageData(heat, 0, 0);
    pen.globalAlpha = Number(slider.value) / 100;
    pen.drawImage(layer, 0, 0, canvas.width, canvas.height);
  }

  load();
  const off = theme.onChange(draw);
  const element = el(
    "div.figure", {}, canvas,
    el("div.row", {}, el("label", { for: slider.id }, words.t("explain.opacity")), slider),
    el("p.quiet", {}, words.t("explain.picture_legend")),
  );
  return { element, dispose: off };
}
