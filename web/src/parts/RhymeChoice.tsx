import { models } from "../desk";
import { say } from "../language";
import { Field } from "./Field";

/** How many of the 106 rhymes, in the order of the book, are of each tone. */
const TONES = [
  ["平", 30],
  ["上", 29],
  ["去", 30],
  ["入", 17],
] as const;

interface Props {
  value: string | undefined;
  onChange: (value: string | undefined) => void;
}

export function RhymeChoice({ value, onChange }: Props) {
  const rhymes = models.value?.rhymes ?? [];
  let first = 0;
  return (
    <Field label={say("rhyme")}>
      <select onChange={(event) => onChange(event.currentTarget.value || undefined)}>
        <option value="" selected={!value}>
          {say("autoRhyme")}
        </option>
        <option value="off" selected={value === "off"}>
          {say("noRhyme")}
        </option>
        {TONES.map(([tone, many]) => (
          <optgroup key={tone} label={tone}>
            {rhymes.slice(first, (first += many)).map((rhyme) => (
              <option key={rhyme} value={rhyme} selected={rhyme === value}>
                {rhyme}
              </option>
            ))}
          </optgroup>
        ))}
      </select>
    </Field>
  );
}
