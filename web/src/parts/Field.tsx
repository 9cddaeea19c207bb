import { cloneElement, type VNode } from "preact";
import { useId } from "preact/hooks";

interface Props {
  label: string;
  class?: string;
  children: VNode<{ id?: string }>;
}

/** A label and the one control that it is of. */
export function Field(props: Props) {
  const id = useId();
  return (
    <div class={`field ${props.class ?? ""}`}>
      <label for={id}>{props.label}</label>
      {cloneElement(props.children, { id })}
    </div>
  );
}

interface SelectProps {
  label: string;
  value: string | undefined;
  options: (readonly [string, string])[];
  onChange: (value: string | undefined) => void;
}

/** One of many; "" is none. */
export function Select({ label, value = "", options, onChange }: SelectProps) {
  return (
    <Field label={label}>
      <select onChange={(event) => onChange(event.currentTarget.value || undefined)}>
        {options.map(([each, shown]) => (
          <option key={each} value={each} selected={each === value}>
            {shown}
          </option>
        ))}
      </select>
    </Field>
  );
}
