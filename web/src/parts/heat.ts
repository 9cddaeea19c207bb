// The heat map: a column a character, a row a unit.

type Colour = [number, number, number];

/** Draws `values` (T, units) to fill the canvas: from paper to ink, or from blue over paper to red. */
export function drawHeat(canvas: HTMLCanvasElement, values: number[][], isSigned: boolean): void {
  const [columns, rows] = [values.length, values[0]?.length ?? 0];
  const style = getComputedStyle(canvas);
  const [paper, high, low] = ["--sheet", isSigned ? "--seal" : "--ink", "--blue"].map((name) =>
    colour(style.getPropertyValue(name)),
  );
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d")!;
  const pixels = context.createImageData(columns, rows);
  values.forEach((column, t) =>
    column.forEach((value, unit) => {
      const towards = value < 0 ? low! : high!;
      const mixed = paper!.map((c, k) => c + (towards[k]! - c) * Math.min(Math.abs(value), 1));
      pixels.data.set([...mixed, 255], 4 * (unit * columns + t));
    }),
  );
  context.putImageData(pixels, 0, 0);
}

const colour = (hex: string): Colour =>
  [1, 3, 5].map((at) => parseInt(hex.trim().slice(at, at + 2), 16)) as Colour;
