import { toneKind } from "../poem";
import { type Key, say } from "../language";

const NAMES: Record<string, Key> = { 平: "level", 上: "rising", 去: "departing", 入: "entering" };

/** 平去 → level or departing, in the reader's language. */
export function toneWords(tones: string): string {
  return [...tones].map((tone) => say(NAMES[tone] ?? "toneUnknown")).join(" / ");
}

const DEMANDS: Record<string, Key> = { 平: "demandLevel", 仄: "demandOblique", 中: "demandEither" };

export const demandWords = (demand: string): string => say(DEMANDS[demand] ?? "demandEither");

/** A ring, full for oblique tones: drawn, for typefaces disagree on how large it is. */
export function ToneMark({ tones }: { tones: string }) {
  const kind = toneKind(tones);
  return <span class={kind ? `tone ${kind}` : ""} aria-hidden="true" />;
}
