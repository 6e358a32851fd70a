// What can be taken along: pictures as they are drawn, tables as the service writes them.
import { headed } from "../../blocks.js";
import { el } from "../../dom.js";
import { failure } from "../../told.js";

const SHARPER = 2; // pixels of a PNG to one of the page

export function save(blob, name) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

/** The drawing of a chart as a file of its own, with its ground. */
function svgOf(element, ground) {
  const drawn = element.querySelector("svg").cloneNode(true);
  const { width, height } = element.getBoundingClientRect();
  drawn.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  drawn.setAttribute("width", width);
  drawn.setAttribute("height", height);
  drawn.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const back = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, value] of Object.entries({ width, height, fill: ground })) back.setAttribute(name, value);
  drawn.prepend(back);
  return { text: new XMLSerializer().serializeToString(drawn), width, height };
}

async function pngOf(element, ground) {
  const { text, width, height } = svgOf(element, ground);
  const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = el("canvas", { width: Math.round(width * SHARPER), height: Math.round(height * SHARPER) });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((done) => canvas.toBlob(done, "image/png"));
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** A button that saves what `make()` gives: the parts of a file of that type. */
export const fileButton = (label, make, name, type) =>
  el("button", { type: "button", onclick: () => save(new Blob([make()], { type }), name) }, label);

/** The line above a drawing: its heading, and the buttons that save it. */
export const pictureHead = (context, heading, drawing, name) => headed(heading, pictureButtons(context, drawing, name));

/** Buttons PNG and SVG for a chart. */
function pictureButtons({ words, theme }, drawing, name) {
  const told = el("span");
  const button = (kind, make) =>
    el("button", { type: "button", onclick: async () => {
      try {
        save(await make(), `${name}.${kind}`);
        told.replaceChildren();
      } catch (error) {
        told.replaceChildren(failure(words, error));
      }
    } }, kind.toUpperCase());
  return el(
    "div.row.saves", { role: "group", "aria-label": words.t("explain.save_picture") },
    button("png", () => pngOf(drawing.element, theme.colours.ground)),
    button("svg", async () => new Blob([svgOf(drawing.element, theme.colours.ground).text], { type: "image/svg+xml" })),
    told,
  );
}
