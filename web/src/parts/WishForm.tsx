import { writeAnew } from "../changing";
import { drafted, isWriting, models, wish } from "../desk";
import { stop } from "../opening";
import { language, say } from "../language";
import { Choice } from "./Choice";
import { Field, Select } from "./Field";
import { RhymeChoice } from "./RhymeChoice";
import { Told } from "./Told";

type Given = "prefix" | "head" | "end";

/** 五绝 as the language writes it. */
export const formName = (form: string): string =>
  language.value === "zh-Hans" ? form : form.replace("绝", "絕").replace("体", "體");

export function WishForm() {
  const submit = (event: Event) => {
    event.preventDefault();
    void writeAnew(drafted.value);
    document.querySelector(".sheet")?.scrollIntoView({ block: "nearest" });
  };
  return (
    <form onSubmit={submit}>
      <GivenCharacters />
      <FormChoice />
      <Daring />
      <div class="row">
        {isWriting.value ? (
          <button key="stop" class="go" type="button" onClick={stop} aria-label={say("stop")}>
            {say("stop")}
          </button>
        ) : (
          <button key="go" class="go" type="submit" aria-label={say("goLong")}>
            {say("go")}
          </button>
        )}
        <Count />
      </div>
      <Others />
      <details class="more">
        <summary>{say("more")}</summary>
        <RhymeChoice value={drafted.value.rhyme} onChange={(rhyme) => wish({ rhyme })} />
        <Select
          label={say("tones")}
          value={drafted.value.tones}
          options={[
            ["", say("autoTones")],
            ["strict", say("strict")],
            ["loose", say("loose")],
            ["off", say("off")],
          ]}
          onChange={(tones) => wish({ tones })}
        />
        <Told />
      </details>
    </form>
  );
}

/** First characters, or an acrostic. */
function GivenCharacters() {
  const { prefix, acrostic, acrostic_at } = drafted.value;
  const given: Given = acrostic === undefined ? "prefix" : acrostic_at === "end" ? "end" : "head";
  const give = (as: Given, characters: string) =>
    wish({
      prefix: as === "prefix" ? characters || undefined : undefined,
      acrostic: as === "prefix" ? undefined : characters,
      acrostic_at: as === "end" ? "end" : undefined,
    });
  const characters = (given === "prefix" ? prefix : acrostic) ?? "";
  return (
    <div class="given">
      <Choice
        label={say("givenAs")}
        value={given}
        options={[
          ["prefix", say("prefix")],
          ["head", say("head")],
          ["end", say("end")],
        ]}
        onChange={(as) => give(as, characters)}
      />
      <input
        class="poetry"
        aria-label={say("given")}
        placeholder={say(given === "prefix" ? "prefixHint" : "acrosticHint")}
        value={characters}
        onInput={(event) => give(given, event.currentTarget.value.trim())}
        spellcheck={false}
        autocomplete="off"
        enterkeyhint="go"
      />
    </div>
  );
}

/** The four usual forms in sight, the long ones with their number of lines. */
function FormChoice() {
  const [form = "", lines] = (drafted.value.form ?? "").split(":");
  const names = models.value?.forms.map((each) => each.split(":")[0]!) ?? ["五绝"];
  const isLong = lines !== undefined;
  return (
    <>
      <Choice
        isLabelShown
        label={say("form")}
        value={form}
        options={[["", say("anyForm")], ...names.map((each) => [each, formName(each)] as const)]}
        onChange={(value) => {
          const isLongOne = /[排]/.test(value);
          wish({ form: isLongOne ? `${value}:${lines ?? 12}` : value || undefined });
        }}
      />
      {isLong && (
        <Field class="short" label={say("formLength")}>
          <input
            type="number"
            min={10}
            max={24}
            step={2}
            value={lines}
            onChange={(event) => wish({ form: `${form}:${event.currentTarget.value}` })}
          />
        </Field>
      )}
    </>
  );
}

/** The temperature, from 穩 to 險. */
const Daring = () => (
  <Field label={say("daring")}>
    <Dial />
  </Field>
);

function Dial({ id }: { id?: string }) {
  const value = drafted.value.temperature ?? 0.8;
  return (
    <span class="dial">
      <span aria-hidden="true">{say("steady")}</span>
      <input
        id={id}
        type="range"
        min={0.3}
        max={1.3}
        step={0.1}
        value={value}
        aria-valuetext={`${value}, ${say("steady")} 0.3, ${say("bold")} 1.3`}
        onInput={(event) => wish({ temperature: Number(event.currentTarget.value) })}
      />
      <span aria-hidden="true">{say("bold")}</span>
    </span>
  );
}

function Count() {
  return (
    <Field class="short" label={say("count")}>
      <input
        type="number"
        min={1}
        max={Math.min(models.value?.limits.count ?? 1, 8)}
        value={drafted.value.count ?? 1}
        onChange={(event) => {
          const count = Number(event.currentTarget.value);
          wish({ count: count > 1 ? count : undefined });
        }}
      />
    </Field>
  );
}

const IN_THE_FORM = [
  "prefix",
  "acrostic",
  "acrostic_at",
  "form",
  "rhyme",
  "tones",
  "temperature",
  "count",
  "title",
  "style",
  "dynasty",
  "model",
];

/** Wishes that came with an address and have no place in the form: told, and to be dropped. */
function Others() {
  const others = Object.entries(drafted.value).filter(
    ([name, value]) => value !== undefined && !IN_THE_FORM.includes(name),
  );
  if (!others.length) return null;
  return (
    <ul class="others" aria-label={say("others")}>
      {others.map(([name, value]) => (
        <li key={name}>
          <code>{name}</code>{" "}
          {typeof value === "object" ? Object.entries(value).join(" ") : String(value)}{" "}
          <button
            class="plain"
            type="button"
            aria-label={`${say("forget")}: ${name}`}
            onClick={() => wish({ [name]: undefined })}
          >
            ×
          </button>
        </li>
      ))}
    </ul>
  );
}
