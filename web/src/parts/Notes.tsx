import type { Fault } from "../api";
import { pick } from "../changing";
import { current, isChanging, model } from "../desk";
import { language, percent, say } from "../language";
import { type Insight, isHan, versesOf } from "../poem";
import { type Alternative, alternatives, insights, noted, type Reading, reading } from "../reading";
import { faultWords } from "./faults";
import { formName } from "./WishForm";
import { demandWords, ToneMark, toneWords } from "./tones";

/** The margin: what scan and network say of the character pointed at, and of the whole poem. */
export function Notes() {
  const read = reading.value;
  const index = noted.value;
  const glyph = versesOf(current.value?.text ?? "")
    .flat()
    .find((each) => each.index === index);
  const known = index === null ? undefined : insights.value.get(index);
  return (
    <aside
      class={`notes ${known && !isChanging.value ? "of-character" : ""}`}
      aria-label={say("notes")}
    >
      {read && known && glyph ? (
        <OfCharacter character={glyph.character} known={known} index={glyph.index} />
      ) : (
        read && <p class="hint">{say("notesHint")}</p>
      )}
      {read && <OfPoem read={read} />}
    </aside>
  );
}

function OfCharacter({
  character,
  known,
  index,
}: {
  character: string;
  known: Insight;
  index: number;
}) {
  const { score, demand, faults } = known;
  return (
    <section class="of-one">
      <h2 class="poetry" lang="zh">
        {character}
      </h2>
      <dl>
        {known.tones && (
          <Line term={say("tone")}>
            <ToneMark tones={known.tones} /> {toneWords(known.tones)}
          </Line>
        )}
        {(known.rhymes || known.rhyme) && (
          <Line term={say("group")}>
            <span lang="zh">{known.rhymes || known.rhyme}</span>
            {known.rhyme && <em class="rhyme-word"> {say("rhymeWord")}</em>}
          </Line>
        )}
        {demand && <Line term={say("demand")}>{demandWords(demand)}</Line>}
        {score && (
          <Line term={say("chance")}>
            {percent(score.probability)}
            <span class="faint">
              {" · "}
              {say("rank", { n: score.rank, size: model.value?.vocabulary_size ?? "" })}
              {" · "}
              {say("surpriseOf", { n: score.nats.toFixed(1) })}
            </span>
          </Line>
        )}
      </dl>
      {faults.map((fault) => (
        <Remark key={fault.name} fault={fault} />
      ))}
      {score && <Alternatives index={index} />}
    </section>
  );
}

function Line({ term, children }: { term: string; children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{term}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Alternatives({ index }: { index: number }) {
  const found = alternatives.value?.found ?? [];
  const most = Math.max(...found.map((each) => each.probability));
  return (
    <>
      <h3>{say("alternatives")}</h3>
      <ul class="alternatives">
        {found.map((each) => (
          <OneOf key={each.character} each={each} index={index} most={most} />
        ))}
      </ul>
    </>
  );
}

function OneOf({ each, index, most }: { each: Alternative; index: number; most: number }) {
  const chance = percent(each.probability);
  return (
    <li>
      <button
        type="button"
        class={each.fits ? "" : "misfit"}
        disabled={!isHan(each.character) || isChanging.value}
        title={each.fits ? undefined : say("breaks")}
        aria-label={`${say("pick", { character: each.shown, chance })}${each.fits ? "" : `, ${say("breaks")}`}`}
        onClick={() => void pick(index, each.character)}
      >
        <span class="poetry" lang="zh">
          {each.shown}
        </span>
        <ToneMark tones={each.tones} />
        <span class="bar">
          <span style={{ width: `${(100 * each.probability) / most}%` }} />
        </span>
        <span class="chance">{chance}</span>
      </button>
    </li>
  );
}

function OfPoem({ read }: { read: Reading }) {
  const { scan, score, unread } = read;
  const span = current.value?.poem?.known_span;
  const isJudged = scan?.pattern != null;
  return (
    <section class="of-poem">
      {scan && (
        <p class="verdict">
          <strong lang="zh">{formName(scan.form)}</strong>
          {scan.pattern && <span lang="zh"> · {scan.pattern}</span>}
          {scan.rhyme && (
            <span class="rhyme-word" lang="zh">
              {" "}
              · {scan.rhyme}
              {language.value === "zh-Hans" ? "韵" : "韻"}
            </span>
          )}
        </p>
      )}
      {isJudged && scan!.clean.strict && !scan!.faults.length && <p>{say("clean")}</p>}
      {scan && scan.faults.length > 0 && (
        <details open={scan.faults.length < 4}>
          <summary>
            {say("faults")} ({scan.faults.length})
          </summary>
          {scan.faults.map((fault, k) => (
            <Remark key={k} fault={fault} isPlaced />
          ))}
        </details>
      )}
      {score && (
        <p>
          {say("perplexity")} {score.perplexity.toFixed(1)}{" "}
          <span class="faint">
            ({say("perCharacter", { n: score.nats_per_character.toFixed(2) })})
          </span>
        </p>
      )}
      {span && (
        <p>
          {say("known")}:{" "}
          <span class="poetry" lang="zh">
            {span}
          </span>
        </p>
      )}
      {unread && (
        <p class="faint">
          {say("noModel")}
          <span lang="en">{unread}</span>
        </p>
      )}
    </section>
  );
}

function Remark({ fault, isPlaced }: { fault: Fault; isPlaced?: boolean }) {
  return (
    <p class={`remark-text ${fault.severity}`}>
      <strong lang="zh">{fault.name}</strong> <span class="faint">{say(fault.severity)}</span>{" "}
      {isPlaced && say("place", { ...fault })}
      {faultWords(fault)}
    </p>
  );
}
