// The HTTP API of `yinshi serve`: its types, and one function for each call.

export interface Wishes {
  prefix?: string;
  count?: number;
  seed?: number;
  temperature?: number;
  top_k?: number;
  top_p?: number;
  script?: Script;
  max_length?: number;
  title?: string;
  style?: string;
  dynasty?: string;
  form?: string;
  rhyme?: string;
  tones?: string;
  acrostic?: string;
  acrostic_at?: string;
  lines?: Record<string, string>;
  keep?: string;
  avoid?: string;
  no_repeat?: boolean;
  candidates?: number;
  allow_quotes?: boolean;
  model?: string;
}

export type Script = "traditional" | "simplified";

export interface Poem {
  text: string;
  form: string;
  seed: number;
  nats_per_character: number;
  known_span: string | null;
  title: string | null;
  style: string | null;
}

export type StreamEvent =
  | { event: "draft"; poem: number; text: string; progress: number }
  | ({ event: "poem"; poem: number } & Poem)
  | { event: "queued"; position: number }
  | { event: "error"; detail: string };

export type Severity = "fault" | "minor" | "note";

export interface Fault {
  name: string;
  line: number;
  position: number;
  character: string;
  reason: string;
  severity: Severity;
}

export interface ScanLine {
  text: string;
  tones: string[];
  /** Of each character the rhyme groups, where the server tells them. */
  rhymes?: string[];
  pattern: string;
  rhyme: string | null;
}

export interface Scan {
  form: string;
  lines: ScanLine[];
  pattern: string | null;
  rhyme: string | null;
  faults: Fault[];
  clean: { strict: boolean; loose: boolean };
}

export interface Likely {
  character: string;
  probability: number;
}

export interface CharacterScore extends Likely {
  nats: number;
  rank: number;
  alternatives: Likely[];
}

export interface Gates {
  input: number[];
  forget: number[];
  output: number[];
  units: number[];
  cell: number[][];
  input_units: number[][];
  forget_units: number[][];
  output_units: number[][];
}

export interface Score {
  model: string;
  text: string;
  perplexity: number;
  nats_per_character: number;
  characters: CharacterScore[];
  gates?: Gates;
}

export interface ScoreWish {
  text: string;
  title?: string;
  style?: string;
  dynasty?: string;
  gates?: boolean;
  model?: string;
}

export interface Model {
  name: string;
  is_default: boolean;
  script: Script;
  vocabulary_size: number;
  parameters: number;
  conditions: string[];
  styles: string[];
  dynasties: string[];
}

export interface Models {
  models: Model[];
  forms: string[];
  rhymes: string[];
  tones: string[];
  limits: { count: number; max_length: number; text: number; candidates: number };
}

/** What the server refused, or that it could not be reached (`status` 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    detail: string,
    readonly retryAfter: number | null = null,
  ) {
    super(detail);
  }
}

export const models = (): Promise<Models> => call("/api/models");
export const scan = (text: string, signal?: AbortSignal): Promise<Scan> =>
  call("/api/scan", { text }, signal);
export const score = (wish: ScoreWish, signal?: AbortSignal): Promise<Score> =>
  call("/api/score", wish, signal);
export const write = (wishes: Wishes, signal?: AbortSignal): Promise<{ poems: Poem[] }> =>
  call("/api/poems", wishes, signal);

/** The events of a poem being written; ends with the last poem or throws an ApiError. */
export async function* stream(wishes: Wishes, signal: AbortSignal): AsyncGenerator<StreamEvent> {
  const response = await answer("/api/poems/stream", wishes, signal);
  const lines = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await lines.read();
      if (done) return;
      const parts = (rest + value).split("\n");
      rest = parts.pop()!;
      for (const part of parts) if (part) yield JSON.parse(part) as StreamEvent;
    }
  } catch (error) {
    throw signal.aborted ? error : new ApiError(0, String(error));
  }
}

async function call<T>(path: string, body?: object, signal?: AbortSignal): Promise<T> {
  return (await answer(path, body, signal)).json() as Promise<T>;
}

async function answer(path: string, body?: object, signal?: AbortSignal): Promise<Response> {
  const post = { method: "POST", headers: { "Content-Type": "application/json" } };
  let response;
  try {
    response = await fetch(path, body ? { ...post, body: JSON.stringify(body), signal } : {});
  } catch (error) {
    throw signal?.aborted ? error : new ApiError(0, String(error));
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  const detail = typeof told.detail === "string" ? told.detail : response.statusText;
  throw new ApiError(response.status, detail, Number(response.headers.get("Retry-After")) || null);
}
