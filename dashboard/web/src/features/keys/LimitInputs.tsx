import { Flex, NumberInput, Select, TextInput } from "@mantine/core";
import {
  COST_DECIMALS,
  LENGTH_UNITS,
  type LimitFields,
  type LimitsForm,
  MAX_VALUE_MAX,
  withMetric,
} from "@/features/keys/limitFields";
import { METRIC_NAMES, metricLabel, WINDOW_NAMES, windowLabel } from "@/features/keys/rule";
import { COST, MICRO_USD } from "@/lib/format";

const ENFORCEMENTS = [
  { value: "enforce", label: "refuse" },
  { value: "shadow", label: "only watch" },
];

/** The fields of one limit, in the order in which its sentence reads. */
export function LimitInputs({
  form,
  fields,
  index,
}: {
  form: LimitsForm;
  fields: LimitFields;
  index: number;
}) {
  const at = `limits.${index}`;
  const isCost = fields.metric === COST;
  return (
    <div className="limit-inputs">
      <NumberInput
        label="At most"
        size="xs"
        min={0}
        max={isCost ? MAX_VALUE_MAX / MICRO_USD : MAX_VALUE_MAX}
        allowDecimal={isCost}
        decimalScale={COST_DECIMALS}
        prefix={isCost ? "$" : ""}
        thousandSeparator=","
        {...form.getInputProps(`${at}.maxValue`)}
      />
      <Select
        label="Of"
        size="xs"
        allowDeselect={false}
        data={withCurrent(METRIC_NAMES, fields.metric).map((value) => ({ value, label: metricLabel(value) }))}
        value={fields.metric}
        onChange={(value) => value && form.getInputProps(at).onChange(withMetric(fields, value))}
      />
      {fields.metric !== "concurrency" && <WindowInputs form={form} fields={fields} at={at} />}
      <TextInput
        label="Model"
        size="xs"
        placeholder="all"
        autoComplete="off"
        spellCheck={false}
        {...form.getInputProps(`${at}.modelPattern`)}
      />
      <Select
        label="Then"
        size="xs"
        allowDeselect={false}
        data={ENFORCEMENTS}
        value={fields.shadow ? "shadow" : "enforce"}
        onChange={(value) => form.getInputProps(`${at}.shadow`).onChange(value === "shadow")}
      />
    </div>
  );
}

function WindowInputs({ form, fields, at }: { form: LimitsForm; fields: LimitFields; at: string }) {
  const windows = WINDOW_NAMES.map((value) => ({ value, label: windowLabel(value) }));
  return (
    <>
      <Select
        label="Window"
        size="xs"
        allowDeselect={false}
        data={[...windows, { value: "fixed", label: "per length…" }]}
        {...form.getInputProps(`${at}.windowKind`)}
      />
      {fields.windowKind === "fixed" && (
        <Flex gap={4} align="end">
          <NumberInput
            label="Length"
            size="xs"
            flex={1}
            miw={0}
            hideControls
            min={0}
            {...form.getInputProps(`${at}.length`)}
          />
          <Select
            aria-label="Unit of the length"
            size="xs"
            w={58}
            allowDeselect={false}
            data={Object.keys(LENGTH_UNITS)}
            {...form.getInputProps(`${at}.unit`)}
          />
        </Flex>
      )}
    </>
  );
}

/** A metric that the form does not offer stays what it is. */
function withCurrent(names: readonly string[], current: string): string[] {
  return names.includes(current) ? [...names] : [...names, current];
}
