// What scan and network say of the poem that is shown, asked for as soon as it is done.

import { computed, effect, signal } from "@preact/signals";
import * as api from "./api";
import type { Scan, Score } from "./api";
import { inScript } from "./changing";
import { chosen, current, model, pointed, script, tell } from "./desk";
import { type Insight, insightsOf, isHan, meets } from "./poem";

export interface Reading {
  text: string;
  scan: Scan | null;
  score: Score | null;
  /** Why the network cannot read it, in the server's words. */
  unread: string | null;
}

export const isInside = signal(false);
export const reading = signal<Reading | null>(null);
export const insights = computed(() => {
  const read = reading.value;
  return insightsOf(current.value?.text ?? "", read?.scan ?? null, read?.score ?? null);
});
/** The character that the notes are about. */
export const noted = computed(() => pointed.value ?? chosen.value);

const scores = new Map<string, Score>();

effect(() => {
  const card = current.value;
  if (!card?.isDone) return void (reading.value = null);
  void readPoem(card.text, card.wishes, isInside.value);
});

async function readPoem(text: string, wishes: api.Wishes, gates: boolean): Promise<void> {
  const { title, style, dynasty, model } = wishes;
  const wish = { text, title, style, dynasty, model, gates };
  const isNew = reading.peek()?.text !== text;
  if (isNew) reading.value = null;
  const [scan, score] = await Promise.allSettled([
    isNew ? api.scan(text) : reading.peek()!.scan,
    scored(wish),
  ]);
  if (current.peek()?.text !== text) return;
  if (scan.status === "rejected") tell(scan.reason, null);
  reading.value = {
    text,
    scan: scan.status === "fulfilled" ? scan.value : null,
    score: score.status === "fulfilled" ? score.value : null,
    unread: score.status === "rejected" ? String(score.reason.message) : null,
  };
}

async function scored(wish: api.ScoreWish): Promise<Score> {
  const key = JSON.stringify(wish);
  const plain = { ...wish, gates: false };
  const asked = () =>
    wish.gates ? api.score(wish).catch(() => api.score(plain)) : api.score(plain);
  const known = scores.get(key) ?? (await asked()); // a network may have no gates
  scores.set(key, known);
  return known;
}

/** An alternative: as it is shown, its chance, its tones, and whether the pattern admits it. */
export interface Alternative {
  character: string;
  shown: string;
  probability: number;
  tones: string;
  fits: boolean;
}

export const alternatives = signal<{ key: string; found: Alternative[]; isTold: boolean } | null>(
  null,
);

effect(() => {
  const index = noted.value;
  const known = index === null ? undefined : insights.value.get(index);
  const found = known?.score?.alternatives ?? [];
  const key = `${current.value?.text} ${index}`;
  const isTold = index === chosen.value;
  const before = alternatives.peek();
  if (!known || !found.length || (before?.key === key && (before.isTold || !isTold))) return;
  const plain = found.map(({ character, probability }) => ({
    character,
    shown: character,
    probability,
    tones: "",
    fits: true,
  }));
  alternatives.value = { key, found: plain, isTold };
  if (isTold) void tellAlternatives(key, plain, known);
});

/** Their tones, by one scan of the poem with each of them as a further line; and their script. */
async function tellAlternatives(key: string, found: Alternative[], at: Insight): Promise<void> {
  const words = found.filter((each) => isHan(each.character));
  const each = words.map((word) => word.character).join("。");
  if (!each) return;
  const isOther = script.peek() !== model.peek()?.script;
  const [scan, shown] = await Promise.all([
    api.scan(`${each}。`).catch(() => null),
    isOther ? inScript(`${each}。`, script.peek()).catch(() => each) : each,
  ]);
  if (alternatives.peek()?.key !== key) return;
  const told = shown.split("。");
  alternatives.value = {
    key,
    isTold: true,
    found: found.map((one) => {
      const k = words.indexOf(one);
      if (k < 0) return one;
      const tones = scan?.lines[k]?.tones[0] ?? "";
      const rhymes = scan?.lines[k]?.rhymes?.[0];
      const joins = !at.rhyme || rhymes === undefined || rhymes.includes(at.rhyme);
      const fits = meets(tones, at.demand) && joins;
      return { ...one, shown: told[k] || one.character, tones, fits };
    }),
  };
}
