// What stays in this browser: choices and favourites, in its localStorage.

import { effect, signal, type Signal } from "@preact/signals";

/** A signal that is remembered. */
export function kept<T>(name: string, otherwise: T): Signal<T> {
  const value = signal(stored<T>(name) ?? otherwise);
  let isFirst = true;
  effect(() => {
    const text = JSON.stringify(value.value);
    if (!isFirst) store(name, text);
    isFirst = false;
  });
  return value;
}

function stored<T>(name: string): T | null {
  try {
    return JSON.parse(localStorage.getItem(`yinshi.${name}`) ?? "null") as T | null;
  } catch {
    return null; // storage is forbidden, or holds what another version wrote
  }
}

function store(name: string, text: string): void {
  try {
    localStorage.setItem(`yinshi.${name}`, text);
  } catch {
    // forbidden or full: the choice lasts as long as the page
  }
}

export interface Favourite {
  address: string;
  text: string;
}

export const favourites = kept<Favourite[]>("favourites", []);
export const setting = kept<"vertical" | "horizontal">("setting", "vertical");
export const showsTones = kept("tones", false);

export function toggleFavourite(poem: Favourite): void {
  const others = favourites.value.filter((each) => each.address !== poem.address);
  const isNew = others.length === favourites.value.length;
  favourites.value = isNew ? [poem, ...others] : others;
}
