import { useEffect, useRef, useState } from "preact/hooks";
import type { CharacterScore, Gates, Score } from "../api";
import { type Key, say } from "../language";
import { isInside, reading } from "../reading";
import { Choice } from "./Choice";
import { drawHeat } from "./heat";

/** The network at work: the surprise of each character, and its gates and cells along the poem. */
export function Inside() {
  const score = reading.value?.score;
  return (
    <details
      class="inside"
      open={isInside.value}
      onToggle={(event) => (isInside.value = event.currentTarget.open)}
    >
      <summary>{say("inside")}</summary>
      {isInside.value && score && (
        <>
          <p class="faint">{say("insideWhat")}</p>
          <Surprise score={score} />
          {score.gates && <Heat gates={score.gates} characters={score.characters.slice(0, -1)} />}
          <Table score={score} />
        </>
      )}
    </details>
  );
}

/** −log p along the poem. */
function Surprise({ score }: { score: Score }) {
  const { characters } = score;
  const most = Math.max(...characters.map((each) => each.nats), 1);
  const at = (k: number) => 100 * ((k + 0.5) / characters.length);
  const height = (nats: number) => 100 - (96 * nats) / most;
  const points = characters.map((each, k) => `${at(k)},${height(each.nats)}`).join(" ");
  const mean = score.nats_per_character;
  const sorted = [...characters].sort((a, b) => b.nats - a.nats);
  const [top, bottom] = [sorted[0]!, sorted.at(-1)!];
  const told = say("surpriseTold", {
    mean: mean.toFixed(2),
    most: top.character,
    high: top.nats.toFixed(1),
    least: bottom.character,
    low: bottom.nats.toFixed(1),
  });
  return (
    <figure>
      <figcaption>{say("surprise")}</figcaption>
      <div class="curve">
        <svg
          viewBox="0 0 100 100"
          preserveAspectRatio="none"
          role="img"
          aria-label={`${say("surprise")}: ${told}`}
        >
          <line class="mean" x1="0" x2="100" y1={height(mean)} y2={height(mean)} />
          <polyline points={points} />
        </svg>
        {characters.map((each, k) => (
          <span
            key={k}
            class="point"
            style={{ left: `${at(k)}%`, top: `${height(each.nats)}%` }}
            title={`${each.character} ${each.nats.toFixed(2)}`}
          />
        ))}
      </div>
      <Under characters={characters} />
      <p class="faint">{told}</p>
    </figure>
  );
}

/** The characters, below what belongs to them. */
function Under({ characters }: { characters: CharacterScore[] }) {
  return (
    <div
      class="under poetry"
      aria-hidden="true"
      lang="zh"
      style={{ "--columns": String(characters.length) }}
    >
      {characters.map((each, k) => (
        <span key={k}>{each.character}</span>
      ))}
    </div>
  );
}

const SHOWN = {
  cell: "cell",
  input: "input",
  forget: "forgetGate",
  output: "output",
} as const satisfies Record<string, Key>;
type Shown = keyof typeof SHOWN;

const valuesOf = (gates: Gates, shown: Shown): number[][] =>
  shown === "cell" ? gates.cell : gates[`${shown}_units`];

function Heat({ gates, characters }: { gates: Gates; characters: CharacterScore[] }) {
  const [shown, setShown] = useState<Shown>("cell");
  const [told, setTold] = useState("");
  const canvas = useRef<HTMLCanvasElement>(null);
  const values = valuesOf(gates, shown);
  const isSigned = shown === "cell";
  useEffect(() => {
    const draw = () => canvas.current && drawHeat(canvas.current, values, isSigned);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    draw();
    scheme.addEventListener("change", draw);
    return () => scheme.removeEventListener("change", draw);
  }, [values]);
  const point = (event: PointerEvent & { currentTarget: HTMLCanvasElement }) => {
    const box = event.currentTarget.getBoundingClientRect();
    const t = Math.floor(((event.clientX - box.left) / box.width) * values.length);
    const unit = Math.floor(((event.clientY - box.top) / box.height) * gates.units.length);
    const value = values[t]?.[unit];
    if (value === undefined) return;
    setTold(
      say("unitAt", {
        character: characters[t]!.character,
        unit: gates.units[unit]!,
        value: value.toFixed(2),
      }),
    );
  };
  return (
    <figure>
      <figcaption class="row spread">
        <span>{say("heat", { n: gates.units.length })}</span>
        <Choice
          label={say("shown")}
          value={shown}
          options={Object.entries(SHOWN).map(([each, key]) => [each as Shown, say(key)] as const)}
          onChange={setShown}
        />
      </figcaption>
      <canvas
        ref={canvas}
        class="heat"
        role="img"
        aria-label={`${say(SHOWN[shown])}: ${summary(values, characters)}`}
        onPointerMove={point}
        onPointerLeave={() => setTold("")}
      />
      <Under characters={characters} />
      <p class="faint scale">
        <span class={`ramp ${isSigned ? "signed" : ""}`} aria-hidden="true" />
        {isSigned ? "−1 … 1" : "0 … 1"} <span class="told">{told}</span>
      </p>
    </figure>
  );
}

const meanOf = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

function summary(values: number[][], characters: CharacterScore[]): string {
  const means = values.map(meanOf);
  const [max, min] = [Math.max(...means), Math.min(...means)];
  return say("heatTold", {
    high: characters[means.indexOf(max)]!.character,
    max: max.toFixed(2),
    low: characters[means.indexOf(min)]!.character,
    min: min.toFixed(2),
  });
}

function Table({ score }: { score: Score }) {
  const { gates, characters } = score;
  return (
    <details class="numbers">
      <summary>{say("asTable")}</summary>
      <div class="scrolled" tabIndex={0} role="region" aria-label={say("asTable")}>
        <table>
          <thead>
            <tr>
              <th scope="col">{say("character")}</th>
              <th scope="col">{say("surprise")}</th>
              {gates &&
                (["input", "forgetGate", "output"] as const).map((key) => (
                  <th key={key} scope="col">
                    {say("meanOf", { what: say(key) })}
                  </th>
                ))}
            </tr>
          </thead>
          <tbody>
            {characters.map((each, t) => (
              <tr key={t}>
                <th scope="row" class="poetry" lang="zh">
                  {each.character}
                </th>
                <td>{each.nats.toFixed(2)}</td>
                {gates &&
                  [gates.input, gates.forget, gates.output].map((gate, k) => (
                    <td key={k}>{gate[t]?.toFixed(3)}</td>
                  ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
