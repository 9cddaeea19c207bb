// An address is the query string of a poem: the names of the API, or `text` for the reader's own.

import type { Wishes } from "./api";

const NUMBERS = ["count", "seed", "temperature", "top_k", "top_p", "max_length", "candidates"];
const SWITCHES = ["no_repeat", "allow_quotes"];

/** What an address asks for: a poem to be written, or a text to be read. */
export interface Asked {
  wishes: Wishes;
  text: string | null;
}

export function addressOf(wishes: Wishes, text: string | null = null): string {
  const query = new URLSearchParams();
  if (text !== null) query.set("text", text);
  for (const [name, value] of Object.entries(wishes)) {
    if (value === undefined || value === "" || value === false) continue;
    if (name === "lines") {
      for (const [line, characters] of Object.entries(value)) {
        query.append("lines", `${line}:${characters}`);
      }
    } else query.set(name, String(value));
  }
  return query.size ? `?${query}` : "";
}

export function askedBy(address: string): Asked {
  const query = new URLSearchParams(address);
  const wishes: Record<string, unknown> = {};
  for (const [name, value] of query) {
    if (name === "text") continue;
    if (name === "lines") {
      const [line, characters] = value.split(":", 2);
      wishes.lines = { ...(wishes.lines as object), [line!]: characters };
    } else if (NUMBERS.includes(name)) wishes[name] = Number(value);
    else if (SWITCHES.includes(name)) wishes[name] = value === "true";
    else if (name === "acrostic_at" && /^\d+$/.test(value)) wishes[name] = Number(value);
    else wishes[name] = value;
  }
  return { wishes: wishes as Wishes, text: query.get("text") };
}
