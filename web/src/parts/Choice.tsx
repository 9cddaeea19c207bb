import { useId } from "preact/hooks";

interface Props<T extends string> {
  label: string;
  value: T;
  /** [value, what is shown, what is heard if it is more] */
  options: (readonly [T, string, string?])[];
  onChange: (value: T) => void;
  isLabelShown?: boolean;
  class?: string;
}

/** One of a few, all in sight: radio buttons as words in a row. */
export function Choice<T extends string>(props: Props<T>) {
  const name = useId();
  return (
    <fieldset class={`choice ${props.class ?? ""}`}>
      <legend class={props.isLabelShown ? "" : "heard"}>{props.label}</legend>
      <div class="options">
        {props.options.map(([value, shown, heard]) => (
          <label key={value} title={heard}>
            <input
              type="radio"
              name={name}
              value={value}
              checked={value === props.value}
              aria-label={heard}
              onChange={() => props.onChange(value)}
            />
            <span>{shown}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
