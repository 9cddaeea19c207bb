import { computed } from "@preact/signals";
import { useRef } from "preact/hooks";
import { type Card, chosen, freed, isChanging, pointed, toggleFreed } from "../desk";
import { setting, showsTones } from "../kept";
import { say } from "../language";
import { type Glyph, type Insight, versesOf } from "../poem";
import { insights, noted, reading } from "../reading";
import { ToneMark, toneWords } from "./tones";

/** The poem in its lines, each character a button that one can point at, choose or free. */
export function Poem({ card }: { card: Card }) {
  const element = useRef<HTMLDivElement>(null);
  const verses = versesOf(card.text);
  const blanks = card.isDone ? [] : blanksAfter(verses, card.wishes.form);
  const all = merged(verses, blanks);
  const width = Math.max(...all.map((verse) => verse.length), 1);
  const style = { "--lines": String(all.length || 1), "--width": String(width) };
  if (!card.isDone) {
    return (
      <div class="verses poetry" lang="zh" style={style} aria-hidden="true">
        {all.map((verse, k) => (
          <div key={k} class="verse">
            {verse.map((glyph, j) => (
              <Drafted key={`${j}${glyph.character}`} glyph={glyph} />
            ))}
          </div>
        ))}
      </div>
    );
  }
  const places = verses.map((verse) => verse.filter((glyph) => !glyph.isMark));
  const at = chosen.value ?? places[0]?.[0]?.index;
  return (
    <>
      <p class="heard" lang="zh">
        {card.text}
      </p>
      <div
        ref={element}
        class={`verses poetry ${isChanging.value ? "changing" : ""}`}
        role="toolbar"
        aria-orientation={setting.value}
        aria-label={say("characters")}
        lang="zh"
        style={style}
        onKeyDown={(event) => {
          const to = moved(event.key, places, focusedIn(element.current!));
          if (to === null) return;
          event.preventDefault();
          element.current!.querySelector<HTMLElement>(`[data-index="${to}"]`)!.focus();
        }}
        onPointerLeave={() => (pointed.value = null)}
      >
        {verses.map((verse, k) => (
          <div key={k} class="verse">
            {verse.map((glyph) =>
              glyph.isMark ? (
                <Mark key={glyph.index} glyph={glyph} />
              ) : (
                <Character key={glyph.index} glyph={glyph} isStop={glyph.index === at} />
              ),
            )}
          </div>
        ))}
      </div>
    </>
  );
}

function Mark({ glyph }: { glyph: Glyph }) {
  return (
    <span class="mark" aria-hidden="true">
      {glyph.character}
    </span>
  );
}

function Drafted({ glyph }: { glyph: Glyph }) {
  return (
    <span class={glyph.isMark ? "mark" : glyph.character ? "glyph drafted" : "glyph blank"}>
      {glyph.character}
    </span>
  );
}

function Character({ glyph, isStop }: { glyph: Glyph; isStop: boolean }) {
  const { index, character } = glyph;
  const known = insights.value.get(index);
  const isFreed = freed.value.has(index);
  const choose = () => {
    if (isChanging.value) toggleFreed(index);
    chosen.value = !isChanging.value && chosen.value === index ? null : index;
  };
  return (
    <button
      type="button"
      class={`glyph ${classOf(known)} ${isFreed && isChanging.value ? "freed" : ""} ${noted.value === index ? "noted" : ""}`}
      data-index={index}
      data-rhyme={known?.rhyme ?? undefined}
      tabIndex={isStop ? 0 : -1}
      aria-pressed={isChanging.value ? isFreed : chosen.value === index}
      aria-label={labelOf(character, known, isFreed)}
      onClick={(event) => {
        choose();
        event.currentTarget.scrollIntoView({ block: "nearest" });
      }}
      onPointerEnter={(event) => event.pointerType === "mouse" && (pointed.value = index)}
      onFocus={(event) => event.currentTarget.matches(":focus-visible") && (pointed.value = index)}
      onBlur={() => (pointed.value = null)}
    >
      {character}
      {showsTones.value && <ToneMark tones={known?.tones ?? ""} />}
    </button>
  );
}

/** The rhymes that join lines; a word that rhymes with no other has no colour. */
const rhymesShared = computed(() => {
  const scan = reading.value?.scan;
  const all = scan?.lines.map((line) => line.rhyme) ?? [];
  const isShared = (rhyme: string | null) =>
    rhyme !== null && (rhyme === scan!.rhyme || all.indexOf(rhyme) !== all.lastIndexOf(rhyme));
  return [...new Set(all.filter(isShared))] as string[];
});

function classOf(known: Insight | undefined): string {
  if (!known) return "";
  const shared = rhymesShared.value.indexOf(known.rhyme ?? "");
  const rhyme = shared >= 0 ? `rhyme rhyme-${shared % 4}` : "";
  const worst = known.faults.find((f) => f.severity === "fault") ?? known.faults[0];
  return `${rhyme} ${worst ? `remark ${worst.severity}` : ""}`;
}

function labelOf(character: string, known: Insight | undefined, isFreed: boolean): string {
  return [
    character,
    known?.tones && toneWords(known.tones),
    known?.rhyme && `${say("rhymeWord")} ${known.rhyme}`,
    ...(known?.faults.map((fault) => fault.name) ?? []),
    isChanging.value && say(isFreed ? "freed" : "locked"),
  ]
    .filter(Boolean)
    .join(", ");
}

/** Empty places for what the form still asks for, so that the sheet doesn't grow. */
function blanksAfter(verses: Glyph[][], form: string | undefined): Glyph[][] {
  const [name = "", long] = (form ?? "").split(":");
  const lines = long ? Number(long) : name.endsWith("绝") ? 4 : name.endsWith("律") ? 8 : 0;
  const length = /七/.test(name) ? 7 : 5;
  const blank: Glyph = { index: -1, character: "", isMark: false };
  const open = verses.at(-1);
  const missing = open ? length - open.filter((glyph) => !glyph.isMark).length : 0;
  const rest = Math.max(lines - verses.length, 0);
  if (!lines) return [];
  return [Array(Math.max(missing, 0)).fill(blank), ...Array(rest).fill(Array(length).fill(blank))];
}

/** `blanks` begin in the last of `verses`. */
function merged(verses: Glyph[][], blanks: Glyph[][]): Glyph[][] {
  const [first = [], ...rest] = blanks;
  if (!verses.length) return rest;
  return [...verses.slice(0, -1), [...verses.at(-1)!, ...first], ...rest];
}

const focusedIn = (element: HTMLElement): number =>
  Number(element.querySelector<HTMLElement>(":focus")?.dataset.index ?? -1);

/** Where an arrow leads: along the line or to its neighbour, as the poem is set. */
function moved(key: string, places: Glyph[][], from: number): number | null {
  const line = places.findIndex((verse) => verse.some((glyph) => glyph.index === from));
  if (line < 0) return null;
  const position = places[line]!.findIndex((glyph) => glyph.index === from);
  const flat = places.flat();
  const k = flat.findIndex((glyph) => glyph.index === from);
  const isVertical = setting.value === "vertical";
  const [next, before] = isVertical ? ["ArrowDown", "ArrowUp"] : ["ArrowRight", "ArrowLeft"];
  const [nextLine, lineBefore] = isVertical
    ? ["ArrowLeft", "ArrowRight"]
    : ["ArrowDown", "ArrowUp"];
  const inLine = (verse: Glyph[] | undefined) => verse?.[Math.min(position, verse.length - 1)];
  const to = {
    [next!]: flat[k + 1],
    [before!]: flat[k - 1],
    [nextLine!]: inLine(places[line + 1]),
    [lineBefore!]: inLine(places[line - 1]),
    Home: flat[0],
    End: flat.at(-1),
  }[key];
  return to?.index ?? null;
}
