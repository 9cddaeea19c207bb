// What lies on the desk: the poems that the address asks for, being written or done.
//
// The page always shows what its address says. Whatever changes a poem (a wish, a redrawing, an
// alternative, the script) opens another address, so undo, back and forward are all addresses.

import { computed, signal } from "@preact/signals";
import * as api from "./api";
import type { Model, Models, Poem, Script, Wishes } from "./api";
import { kept } from "./kept";
import { language } from "./language";
import { isHan, versesOf } from "./poem";

/** One poem. `wishes` and `address` give exactly it, among however many it was written. */
export interface Card {
  wishes: Wishes;
  address: string;
  text: string;
  /** What the network wrote; null while it writes, and for the reader's own text. */
  poem: Poem | null;
  isDone: boolean;
  progress: number;
}

export interface Trouble {
  status: number;
  detail: string;
  retryAfter: number | null;
  retry: (() => void) | null;
}

export const models = signal<Models | null>(null);
export const cards = signal<Card[]>([]);
export const active = signal(0);
export const current = computed(() => cards.value[active.value] ?? null);
export const isWriting = signal(false);
export const queuedAt = signal<number | null>(null);
export const trouble = signal<Trouble | null>(null);
export const address = signal("");
/** The wishes in the form, and whether the form is for writing or for reading. */
export const drafted = signal<Wishes>({ form: "五绝" });
export const draftedText = signal("");
export const desk = signal<"write" | "read">("write");
/** Characters freed to be written anew, and whether a tap frees them. */
export const freed = signal<ReadonlySet<number>>(new Set());
export const isChanging = signal(false);
export const chosen = signal<number | null>(null);
export const pointed = signal<number | null>(null);
export const past = signal<string[]>([]);
export const future = signal<string[]>([]);

export const preferredScript = kept<Script>(
  "script",
  language.peek() === "zh-Hans" ? "simplified" : "traditional",
);
/** undefined: the default. */
export function modelNamed(name: string | undefined): Model | null {
  const all = models.value?.models ?? [];
  return all.find((each) => each.name === name) ?? all.find((each) => each.is_default) ?? null;
}

/** The network of the poem that is shown, and the one that the form is for. */
export const model = computed(() => modelNamed(current.value?.wishes.model));
export const askedModel = computed(() => modelNamed(drafted.value.model));
/** The script of the poem that is shown. */
export const script = computed<Script>(() =>
  current.value
    ? (current.value.wishes.script ?? model.value?.script ?? "traditional")
    : preferredScript.value,
);

export function wish(changed: Partial<Wishes>): void {
  drafted.value = { ...drafted.value, ...changed };
}

export function tell(error: unknown, retry: (() => void) | null): void {
  if (error instanceof api.ApiError) {
    const { status, message, retryAfter } = error;
    trouble.value = { status, detail: message, retryAfter, retry };
  } else if (error instanceof DOMException && error.name === "AbortError") {
    trouble.value = { status: -1, detail: "", retryAfter: null, retry };
  } else throw error;
}

export function toggleFreed(index: number): void {
  const others = new Set(freed.value);
  if (!others.delete(index)) others.add(index);
  freed.value = others;
}

export function freeAll(): void {
  const glyphs = versesOf(current.value!.text).flat();
  freed.value = new Set(
    glyphs.filter((glyph) => isHan(glyph.character)).map((glyph) => glyph.index),
  );
}
