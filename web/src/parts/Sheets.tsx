import { active, type Card, cards, current, isWriting, queuedAt } from "../desk";
import { setting } from "../kept";
import { say } from "../language";
import { Poem } from "./Poem";

/** The sheets of paper: the poem one is at, large, and above it all of them if there are several. */
export function Sheets() {
  return (
    <>
      {cards.value.length > 1 && (
        <div class="stack" role="group" aria-label={say("poems")}>
          {cards.value.map((card, k) => (
            <Small key={k} card={card} k={k} />
          ))}
        </div>
      )}
      {current.value ? <Sheet card={current.value} /> : <div class="sheet empty" />}
    </>
  );
}

function Small({ card, k }: { card: Card; k: number }) {
  const first = card.text.split(/[，。？！；]/u)[0] ?? "";
  return (
    <button
      type="button"
      class="small poetry"
      lang="zh"
      aria-pressed={k === active.value}
      aria-label={say("nth", { n: k + 1, text: first })}
      onClick={() => (active.value = k)}
    >
      {first || "…"}
      <span class="thread" style={{ width: `${100 * card.progress}%` }} hidden={card.isDone} />
    </button>
  );
}

function Sheet({ card }: { card: Card }) {
  const title = card.wishes.title;
  return (
    <article class={`sheet ${setting.value}`} aria-label={say("poem")} aria-busy={!card.isDone}>
      <div class="frame">
        {title && (
          <h2 class="title poetry" lang="zh">
            {title}
          </h2>
        )}
        <Poem card={card} />
        <Colophon card={card} />
      </div>
      {isWriting.value && <Progress card={card} />}
    </article>
  );
}

function Colophon({ card }: { card: Card }) {
  return (
    <p class="colophon">
      {card.poem && <span>{say("seed", { n: card.poem.seed })}</span>}
      {card.wishes.style && <span lang="zh">{card.wishes.style}</span>}
      {card.poem && (
        <span class="seal" lang="zh-Hant" aria-hidden="true">
          <b>吟</b>
          <b>詩</b>
        </span>
      )}
    </p>
  );
}

function Progress({ card }: { card: Card }) {
  const all = cards.value.reduce((sum, each) => sum + each.progress, 0) / cards.value.length;
  const queued = queuedAt.value;
  return (
    <div class="progress">
      <div
        role="progressbar"
        aria-label={say("writing")}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(100 * all)}
      >
        <span class="thread" style={{ width: `${100 * all}%` }} />
      </div>
      <p class="faint">
        {queued !== null ? say("queued", { n: queued }) : !card.text && say("writing")}
      </p>
    </div>
  );
}
