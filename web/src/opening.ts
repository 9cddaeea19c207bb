// Opening an address: its poems are written, or found as they were written before.

import { addressOf, askedBy } from "./address";
import * as api from "./api";
import type { Wishes } from "./api";
import {
  active,
  address,
  type Card,
  cards,
  chosen,
  desk,
  drafted,
  draftedText,
  freed,
  isWriting,
  modelNamed,
  models,
  past,
  pointed,
  queuedAt,
  tell,
  trouble,
} from "./desk";
import { announced, say } from "./language";
import { versesOf } from "./poem";

/** address → its poems, as long as the page lives: the same address is the same poem. */
const written = new Map<string, Card[]>();
let controller = new AbortController();

export type How = "push" | "replace" | "none";

/** Shows what an address asks for; false if it could not be had, and then nothing has changed. */
export async function open(asked: string, how: How): Promise<boolean> {
  abandon();
  trouble.value = null;
  const { wishes, text } = askedBy(asked);
  const full = text === null ? complete(wishes) : wishes;
  const to = addressOf(full, text);
  fillForm(full, text);
  let shown = written.get(to);
  if (!shown && text !== null) shown = [ownCard(full, text)];
  if (!shown) shown = await write(full, () => void open(to, how === "none" ? "replace" : how));
  if (!shown) return false;
  show(to, shown, how);
  return true;
}

function show(to: string, shown: Card[], how: How): void {
  written.set(to, shown);
  for (const card of shown) written.set(card.address, [card]);
  if (how === "push" && to !== address.value) history.pushState(null, "", to);
  if (how === "replace") history.replaceState(null, "", to);
  address.value = to;
  cards.value = shown;
  active.value = 0;
  chosen.value = pointed.value = null;
  const length = versesOf(shown[0]!.text).flat().length;
  if ([...freed.value].some((index) => index >= length)) freed.value = new Set();
  document.title = `${shown[0]!.text.split(/[，。？！；、\s]/u)[0]} · 吟詩`;
}

/** Every wish that the poem depends on is in its address, the model too. */
function complete(wishes: Wishes): Wishes {
  const { seed = freshSeed(), model = modelNamed(undefined)?.name } = wishes;
  return { ...wishes, seed, model };
}

function fillForm(wishes: Wishes, text: string | null): void {
  desk.value = text === null || past.value.length ? desk.value : "read";
  if (text !== null) draftedText.value = text;
  else if (!wishes.keep) {
    const { seed: _, script: __, ...asked } = wishes;
    drafted.value = asked;
    desk.value = "write";
  }
}

function ownCard(wishes: Wishes, text: string): Card {
  return { wishes, address: addressOf(wishes, text), text, poem: null, isDone: true, progress: 1 };
}

/** The poems as they come, or undefined: told why, with the desk as it was. */
async function write(wishes: Wishes, retry: () => void): Promise<Card[] | undefined> {
  const mine = (controller = new AbortController());
  const before = active.value;
  const count = Math.min(wishes.count || 1, models.peek()?.limits.count ?? 1);
  isWriting.value = true;
  chosen.value = pointed.value = null;
  cards.value = Array.from({ length: count }, () => draftCard(wishes));
  active.value = 0;
  try {
    for await (const event of api.stream(wishes, mine.signal)) {
      if (mine.signal.aborted) break;
      follow(event, wishes);
    }
    if (mine.signal.aborted) throw new DOMException("stopped", "AbortError");
    if (!cards.value.every((card) => card.isDone)) throw new api.ApiError(0, "the stream ended");
    announced.value = say("done", { text: cards.value.map((card) => card.text).join("\n") });
    return cards.value;
  } catch (error) {
    if (mine !== controller) return undefined; // another poem is being written already
    cards.value = written.get(address.value) ?? [];
    active.value = Math.min(before, Math.max(cards.value.length - 1, 0));
    tell(error, retry);
    return undefined;
  } finally {
    if (mine === controller) {
      isWriting.value = false;
      queuedAt.value = null;
    }
  }
}

function follow(event: api.StreamEvent, wishes: Wishes): void {
  if (event.event === "error") throw new api.ApiError(422, event.detail);
  queuedAt.value = event.event === "queued" ? event.position : null;
  if (event.event === "queued") return;
  const card = cards.value[event.poem]!;
  if (event.event === "draft")
    put(event.poem, { ...card, text: event.text, progress: event.progress });
  else {
    const { event: _, poem, ...rest } = event;
    const own = { ...wishes, count: undefined, seed: rest.seed };
    const done = { isDone: true, progress: 1, poem: rest, text: rest.text };
    put(poem, { ...card, ...done, wishes: own, address: addressOf(own) });
  }
}

function put(index: number, card: Card): void {
  cards.value = cards.value.map((each, k) => (k === index ? card : each));
}

const draftCard = (wishes: Wishes): Card => ({
  wishes,
  address: "",
  text: "",
  poem: null,
  isDone: false,
  progress: 0,
});

/** Whatever is being written is wanted no more. */
function abandon(): void {
  controller.abort();
  controller = new AbortController();
  isWriting.value = false;
  queuedAt.value = null;
}

export function stop(): void {
  controller.abort();
}

export const freshSeed = (): number => Math.floor(Math.random() * 1_000_000);
