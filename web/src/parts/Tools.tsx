import { useState } from "preact/hooks";
import { redo, redraw, undo } from "../changing";
import { type Card, current, freeAll, freed, future, isChanging, past } from "../desk";
import { favourites, setting, showsTones, toggleFavourite } from "../kept";
import { announced, say } from "../language";
import { savePng, saveSvg } from "../picture";
import { reading } from "../reading";
import { Choice } from "./Choice";

/** What one can do with the poem. */
export function Tools() {
  const card = current.value!;
  return (
    <div class="tools">
      <div class="row">
        <Choice
          label={say("tapMeans")}
          value={isChanging.value ? "change" : "touch"}
          options={[
            ["touch", say("touch")],
            ["change", say("change")],
          ]}
          onChange={(value) => (isChanging.value = value === "change")}
        />
        <button
          class="plain"
          type="button"
          disabled={!past.value.length}
          onClick={() => void undo()}
        >
          {say("undo")}
        </button>
        <button
          class="plain"
          type="button"
          disabled={!future.value.length}
          onClick={() => void redo()}
        >
          {say("redo")}
        </button>
        <label class="check">
          <input
            type="checkbox"
            checked={showsTones.value}
            onChange={(event) => (showsTones.value = event.currentTarget.checked)}
          />
          <span>{say("toneMarks")}</span>
        </label>
      </div>
      {isChanging.value && <Changing />}
      <Taking card={card} />
    </div>
  );
}

/** Locking and freeing. */
function Changing() {
  const many = freed.value.size;
  return (
    <div class="row changing-tools">
      <p class="faint">{say("changeHint")}</p>
      <button class="plain" type="button" onClick={freeAll}>
        {say("freeAll")}
      </button>
      <button
        class="plain"
        type="button"
        disabled={!many}
        onClick={() => (freed.value = new Set())}
      >
        {say("lockAll")}
      </button>
      <button
        class="strong"
        type="button"
        disabled={!many}
        onClick={() => void redraw(reading.value?.scan ?? null)}
      >
        {say("redraw", { n: many })}
      </button>
    </div>
  );
}

/** Copying, saving, keeping. */
function Taking({ card }: { card: Card }) {
  const { address, text } = card;
  const isKept = favourites.value.some((each) => each.address === address);
  const isVertical = setting.value === "vertical";
  const link = () => new URL(address, location.href).href;
  return (
    <div class="row">
      <Copying
        label={say("copy")}
        text={() => (card.wishes.title ? `${card.wishes.title}\n${text}` : text)}
      />
      <Copying label={say("copyLink")} text={link} />
      <button class="plain" type="button" onClick={() => saveSvg(card, isVertical)}>
        {say("saveSvg")}
      </button>
      <button class="plain" type="button" onClick={() => void savePng(card, isVertical)}>
        {say("savePng")}
      </button>
      <button
        class="plain"
        type="button"
        aria-pressed={isKept}
        onClick={() => toggleFavourite({ address, text })}
      >
        {say(isKept ? "kept" : "keepPoem")}
      </button>
    </div>
  );
}

function Copying({ label, text }: { label: string; text: () => string }) {
  const [isCopied, setCopied] = useState(false);
  const onClick = async () => {
    await copied(text());
    announced.value = say("copied");
    setCopied(true);
    setTimeout(() => setCopied(false), 1600);
  };
  return (
    <button class="plain" type="button" onClick={onClick}>
      {isCopied ? say("copied") : label}
    </button>
  );
}

/** The clipboard is for secure pages only; a plain http address in the house has the old way. */
async function copied(text: string): Promise<void> {
  try {
    return await navigator.clipboard.writeText(text);
  } catch {
    // forbidden, or no such thing
  }
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
