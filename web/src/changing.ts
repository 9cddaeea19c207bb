// What changes the poem: each change is another address to open.

import { addressOf, askedBy } from "./address";
import * as api from "./api";
import type { Scan, Script, Wishes } from "./api";
import {
  active,
  address,
  askedModel,
  cards,
  current,
  drafted,
  freed,
  future,
  isChanging,
  model,
  models,
  past,
  preferredScript,
  script,
  tell,
} from "./desk";
import { freshSeed, type How, open } from "./opening";
import { keepOf, replaced, versesOf } from "./poem";

export async function begin(): Promise<void> {
  try {
    models.value = await api.models();
  } catch (error) {
    tell(error, () => void begin());
    return;
  }
  addEventListener("popstate", () => {
    forgetChanges();
    void open(location.search, "none");
  });
  const asked = askedBy(location.search);
  const isBare = asked.text === null && !Object.keys(asked.wishes).length;
  if (isBare) await writeAnew(drafted.value, "replace");
  else await open(location.search, "replace");
}

/** A new poem for these wishes: every writing has a seed of its own. */
export function writeAnew(wishes: Wishes, how: How = "push"): Promise<boolean> {
  forgetChanges();
  const isModels = preferredScript.value === (askedModel.peek()?.script ?? "traditional");
  const chosenScript = isModels ? undefined : preferredScript.value;
  return open(addressOf({ ...wishes, script: chosenScript, seed: freshSeed() }), how);
}

export function read(text: string): Promise<boolean> {
  forgetChanges();
  return open(addressOf({}, text.trim()), "push");
}

export function openFavourite(asked: string): Promise<boolean> {
  forgetChanges();
  return open(asked, "push");
}

/** Writes the freed characters anew; the locked ones stay, and so do form and tones it has. */
export function redraw(scan: Scan | null): Promise<boolean> {
  const { wishes, text } = current.value!;
  const { temperature, top_k, top_p, title, style, dynasty, avoid, no_repeat } = wishes;
  const told = { temperature, top_k, top_p, title, style, dynasty, avoid, no_repeat };
  const has = scan?.clean.strict ? "strict" : scan?.clean.loose ? "loose" : "off";
  return change(
    addressOf({
      keep: keepOf(text, freed.value),
      tones: wishes.tones ?? has,
      rhyme: wishes.rhyme ?? (has === "off" ? "off" : "auto"),
      ...told,
      script: wishes.script,
      model: wishes.model,
      seed: freshSeed(),
    }),
  );
}

/** Puts another character in the place. */
export async function pick(place: number, character: string): Promise<boolean> {
  const { wishes, text } = current.value!;
  const changed = replaced(text, place, character);
  const { title, style, dynasty, model: name } = wishes;
  const told = { title, style, dynasty, script: wishes.script, model: name };
  try {
    const isModels = script.value === model.value?.script;
    const shown = isModels ? changed : await inScript(changed, script.value);
    return await change(addressOf(told, shown));
  } catch (error) {
    tell(error, null);
    return false;
  }
}

export async function undo(): Promise<void> {
  const before = past.value.at(-1);
  if (before === undefined || !current.value) return;
  const now = current.value.address;
  if (await open(before, "push")) {
    past.value = past.value.slice(0, -1);
    future.value = [...future.value, now];
  }
}

export async function redo(): Promise<void> {
  const after = future.value.at(-1);
  if (after === undefined || !current.value) return;
  const now = current.value.address;
  if (await open(after, "push")) {
    future.value = future.value.slice(0, -1);
    past.value = [...past.value, now];
  }
}

export async function setScript(to: Script): Promise<void> {
  preferredScript.value = to;
  if (!current.value || to === script.value) return;
  const { wishes, text } = askedBy(address.value);
  const at = active.value;
  const asked = { ...wishes, script: to === model.value?.script ? undefined : to };
  try {
    await open(addressOf(asked, text === null ? null : await inScript(text, to)), "push");
    active.value = Math.min(at, cards.value.length - 1);
  } catch (error) {
    tell(error, null);
  }
}

/** A text in a script. The poet writes in either; here every character is given. */
export async function inScript(text: string, to: Script): Promise<string> {
  const [first] = versesOf(text);
  const place = first?.find((glyph) => !glyph.isMark);
  if (!first || !place) return text;
  const blanks = first
    .filter((glyph) => !glyph.isMark)
    .map((glyph) => (glyph === place ? glyph.character : "_"));
  const { poems } = await api.write({
    keep: keepOf(text, new Set([place.index])),
    lines: { "1": blanks.join("") },
    tones: "off",
    rhyme: "off",
    candidates: 1,
    allow_quotes: true,
    seed: 0,
    script: to,
  });
  return poems[0]!.text;
}

/** A change of the poem that is shown, which can be undone. */
async function change(to: string): Promise<boolean> {
  const now = current.value!.address;
  const done = await open(to, "push");
  if (done) {
    past.value = [...past.value, now];
    future.value = [];
  }
  return done;
}

function forgetChanges(): void {
  past.value = [];
  future.value = [];
  freed.value = new Set();
  isChanging.value = false;
}
