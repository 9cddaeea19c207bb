// A poem on the page: its characters in their lines, and what scan and network say of each.

import type { CharacterScore, Fault, Scan, Score } from "./api";

/** A character or mark; `index` counts those of the whole text, white space left out. */
export interface Glyph {
  index: number;
  character: string;
  isMark: boolean;
}

const HAN = /\p{Script=Han}|□/u;
const PAUSE = /[，。？！；：、．,.;:?!]/u;
const OPENING = /[「『“‘《〈（(]/u;

export const isHan = (character: string): boolean => HAN.test(character);

/** The lines, each with the marks that end it. A line ends at a pause or where the text breaks. */
export function versesOf(text: string): Glyph[][] {
  const verses: Glyph[][] = [];
  let index = 0;
  let isOpen = false;
  for (const character of text) {
    if (/\s/u.test(character)) {
      isOpen = false;
      continue;
    }
    const isMark = !isHan(character);
    const begins = !isMark || OPENING.test(character);
    if ((begins && !isOpen) || !verses.length) verses.push([]);
    verses.at(-1)!.push({ index: index++, character, isMark });
    isOpen = begins || (isOpen && !PAUSE.test(character));
  }
  return verses;
}

/** The text with `freed` characters as □, for `keep`. */
export const keepOf = (text: string, freed: ReadonlySet<number>): string =>
  [...text.replace(/\s/gu, "")].map((c, index) => (freed.has(index) ? "□" : c)).join("");

export const replaced = (text: string, place: number, character: string): string =>
  [...text.replace(/\s/gu, "")].map((c, index) => (index === place ? character : c)).join("");

/** What is known of one character of the poem. */
export interface Insight {
  tones: string;
  rhymes: string;
  /** 平, 仄 or 中 by the pattern; "" where nothing is judged. */
  demand: string;
  /** The rhyme it carries at the end of its line. */
  rhyme: string | null;
  faults: Fault[];
  score: CharacterScore | null;
}

/** glyph's index → what is known of it. */
export function insightsOf(
  text: string,
  scan: Scan | null,
  score: Score | null,
): Map<number, Insight> {
  const han = versesOf(text)
    .flat()
    .filter((glyph) => !glyph.isMark);
  const insights = new Map<number, Insight>();
  const scored = score?.characters.filter((each) => isHan(each.character)) ?? [];
  const isAligned = scored.length === han.length;
  han.forEach((glyph, k) => {
    const known = isAligned ? scored[k]! : null;
    insights.set(glyph.index, {
      tones: "",
      rhymes: "",
      demand: "",
      rhyme: null,
      faults: [],
      score: known,
    });
  });
  let k = 0;
  scan?.lines.forEach((line, i) => {
    [...line.text].forEach((character, j) => {
      while (k < han.length && han[k]!.character !== character) k++; // a (note), which is not judged
      if (k === han.length) return;
      Object.assign(insights.get(han[k++]!.index)!, {
        tones: line.tones[j] ?? "",
        rhymes: line.rhymes?.[j] ?? "",
        demand: line.pattern[j] ?? "",
        rhyme: j === line.tones.length - 1 ? line.rhyme : null,
        faults: scan.faults.filter((f) => f.line === i + 1 && f.position === j + 1),
      });
    });
  });
  return insights;
}

/** Whether one of `tones` (平 上去入 as the scan gives them) can stand where `demand` is asked. */
export function meets(tones: string, demand: string): boolean {
  if (!"平仄".includes(demand) || demand === "" || tones === "" || tones === "？") return true;
  return demand === "平" ? tones.includes("平") : /[上去入]/.test(tones);
}

/** level ○, oblique ●, either ◐, as the books mark it; "" where it is unknown. */
export function toneKind(tones: string): "level" | "oblique" | "either" | "" {
  if (tones === "" || tones === "？") return "";
  const isLevel = tones.includes("平");
  const isOblique = /[上去入]/.test(tones);
  return isLevel && isOblique ? "either" : isLevel ? "level" : "oblique";
}
