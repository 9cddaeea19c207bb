// The poem as a picture: one SVG of text, which a canvas makes into a PNG.

import type { Card } from "./desk";
import { type Glyph, versesOf } from "./poem";

const TYPEFACES =
  "LXGW WenKai TC, LXGW WenKai, TW-Kai, Kaiti TC, Kaiti SC, STKaiti, BiauKai, KaiTi, Noto Serif CJK TC, Source Han Serif TC, serif";
const INK = "#221d18";
const PAPER = "#faf6ec";
const RULE = "#d9cdb6";
const SEAL = "#a6261d";
const SVG = "http://www.w3.org/2000/svg";
/** Of one character, in pixels; a mark takes less along the line. */
const [SIZE, STEP, LEADING, MARK, MARGIN] = [44, 54, 86, 26, 72];

type Attributes = Record<string, string | number>;

function drawn(name: string, attributes: Attributes, text = ""): SVGElement {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.textContent = text;
  return element;
}

/** The poem as an SVG document, and its size in pixels. */
export function picture(
  card: Card,
  isVertical: boolean,
): { svg: string; width: number; height: number } {
  const title = card.wishes.title ? [versesOf(card.wishes.title).flat()] : [];
  const lines = [...title, ...versesOf(card.text)];
  const length = Math.max(...lines.map(lengthOf));
  const across = lines.length * LEADING;
  const [width, height] = isVertical
    ? [across + 2 * MARGIN + 40, length + 2 * MARGIN]
    : [length + 2 * MARGIN, across + 2 * MARGIN + 20];
  const svg = drawn("svg", { xmlns: SVG, width, height, viewBox: `0 0 ${width} ${height}` });
  svg.append(
    drawn("rect", { width, height, fill: PAPER }),
    frame(18, width, height, 3),
    frame(26, width, height, 1),
  );
  lines.forEach((line, k) => svg.append(...lineAt(line, k, width, isVertical)));
  svg.append(...seal(isVertical ? 44 : width - 84, height - 96));
  return { svg: new XMLSerializer().serializeToString(svg), width, height };
}

const lengthOf = (line: Glyph[]): number =>
  line.reduce((sum, glyph) => sum + (glyph.isMark ? MARK : STEP), 0);

const frame = (inset: number, width: number, height: number, stroke: number): SVGElement =>
  drawn("rect", {
    x: inset,
    y: inset,
    width: width - 2 * inset,
    height: height - 2 * inset,
    fill: "none",
    stroke: INK,
    "stroke-width": stroke,
  });

/** Line `k`, from the right where it is vertical. */
function lineAt(line: Glyph[], k: number, width: number, isVertical: boolean): SVGElement[] {
  const across = MARGIN + (k + 0.5) * LEADING;
  let along = MARGIN;
  const glyphs = line.map((glyph) => {
    const step = glyph.isMark ? MARK : STEP;
    const size = glyph.isMark ? SIZE * 0.55 : SIZE;
    const [x, y] = isVertical
      ? [
          width - across + (glyph.isMark ? SIZE * 0.28 : 0),
          along + (glyph.isMark ? MARK / 2 : SIZE * 0.86),
        ]
      : [along + step / 2, across + SIZE * 0.36];
    along += step;
    const fill = glyph.isMark ? SEAL : INK;
    return drawn(
      "text",
      { x, y, "font-size": size, "text-anchor": "middle", fill, "font-family": TYPEFACES },
      glyph.character,
    );
  });
  return k && isVertical ? [rule(width - MARGIN - k * LEADING, along), ...glyphs] : glyphs;
}

const rule = (x: number, end: number): SVGElement =>
  drawn("line", { x1: x, x2: x, y1: MARGIN - 12, y2: end + 12, stroke: RULE, "stroke-width": 1 });

function seal(x: number, y: number): SVGElement[] {
  const words = { "text-anchor": "middle", fill: PAPER, "font-size": 19, "font-family": TYPEFACES };
  return [
    drawn("rect", { x, y, width: 30, height: 52, rx: 4, fill: SEAL }),
    drawn("text", { ...words, x: x + 15, y: y + 22 }, "吟"),
    drawn("text", { ...words, x: x + 15, y: y + 44 }, "詩"),
  ];
}

export function saveSvg(card: Card, isVertical: boolean): void {
  const { svg } = picture(card, isVertical);
  download(new Blob([svg], { type: "image/svg+xml" }), `${nameOf(card)}.svg`);
}

/** Twice the size of the SVG, for sharp screens and paper. */
export async function savePng(card: Card, isVertical: boolean): Promise<void> {
  const { svg, width, height } = picture(card, isVertical);
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = 2 * width;
  canvas.height = 2 * height;
  canvas.getContext("2d")!.drawImage(image, 0, 0, canvas.width, canvas.height);
  canvas.toBlob((blob) => download(blob!, `${nameOf(card)}.png`), "image/png");
}

const nameOf = (card: Card): string => card.text.split(/[，。？！；、\s]/u)[0] || "詩";

function download(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
