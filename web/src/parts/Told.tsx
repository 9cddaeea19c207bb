import { askedModel, drafted, models, wish } from "../desk";
import { say } from "../language";
import { Field, Select } from "./Field";

/** What only some networks know: title, style, dynasty; and which network, if there are several. */
export function Told() {
  const known = askedModel.value?.conditions ?? [];
  const all = models.value?.models ?? [];
  return (
    <>
      {known.includes("title") && (
        <Field label={say("title")}>
          <input
            class="poetry"
            value={drafted.value.title ?? ""}
            onInput={(event) => wish({ title: event.currentTarget.value || undefined })}
          />
        </Field>
      )}
      {known.includes("author") && (
        <>
          <Field label={say("style")}>
            <input
              class="poetry"
              list="styles"
              value={drafted.value.style ?? ""}
              onInput={(event) => wish({ style: event.currentTarget.value || undefined })}
            />
          </Field>
          <datalist id="styles">
            {askedModel.value!.styles.map((name) => (
              <option key={name} value={name} />
            ))}
          </datalist>
        </>
      )}
      {known.includes("dynasty") && (
        <Select
          label={say("dynasty")}
          value={drafted.value.dynasty}
          options={[
            ["", say("unsaid")],
            ...askedModel.value!.dynasties.map((d) => [d, d] as const),
          ]}
          onChange={(dynasty) => wish({ dynasty })}
        />
      )}
      {all.length > 1 && (
        <Select
          label={say("model")}
          value={askedModel.value?.name}
          options={all.map(({ name }) => [name, name])}
          onChange={(name) => wish({ model: name })}
        />
      )}
    </>
  );
}
