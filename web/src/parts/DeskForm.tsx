import { useRef } from "preact/hooks";
import { read } from "../changing";
import { desk, draftedText, isWriting, models } from "../desk";
import { stop } from "../opening";
import { say } from "../language";
import { Choice } from "./Choice";
import { Field } from "./Field";
import { WishForm } from "./WishForm";

const EXAMPLE = "白日依山盡，黃河入海流。\n欲窮千里目，更上一層樓。";

/** The left side of the desk: wishes for a new poem, or a poem to be read. */
export function DeskForm() {
  return (
    <section class="desk" aria-label={say("desk")}>
      <Choice
        class="tabs"
        label={say("desk")}
        value={desk.value}
        options={[
          ["write", say("write")],
          ["read", say("read")],
        ]}
        onChange={(value) => (desk.value = value)}
      />
      {desk.value === "write" ? <WishForm /> : <ReadForm />}
    </section>
  );
}

function ReadForm() {
  const area = useRef<HTMLTextAreaElement>(null);
  const submit = (event: Event) => {
    event.preventDefault();
    draftedText.value = area.current!.value;
    if (draftedText.value.trim()) void read(draftedText.value);
  };
  return (
    <form onSubmit={submit}>
      <Field label={say("yourText")}>
        <textarea
          ref={area}
          class="poetry"
          rows={6}
          required
          maxLength={models.value?.limits.text ?? 2000}
          value={draftedText.value}
          spellcheck={false}
        />
      </Field>
      <p class="row">
        <button class="go" type="submit">
          {say("goRead")}
        </button>
        <button
          class="plain"
          type="button"
          onClick={() => {
            draftedText.value = EXAMPLE;
            void read(EXAMPLE);
          }}
        >
          {say("example")}
        </button>
      </p>
      {isWriting.value && (
        <button class="plain" type="button" onClick={stop}>
          {say("stop")}
        </button>
      )}
    </form>
  );
}
