import { Group, NumberInput, Select, Stack, Switch } from "@mantine/core";
import type { KeyForm } from "@/features/keys/keyForm";
import {
  ALLOWANCE_REQUESTS_MAX,
  ALLOWANCE_SECONDS_MAX,
  OUTPUT_TOKENS_MAX,
  PRICE_USD_MAX,
} from "@/features/keys/policyFields";

const MISSING_USAGE = [
  { value: "release", label: "nothing" },
  { value: "estimate", label: "an estimate of what was relayed" },
  { value: "reserved", label: "all that was held" },
];

/** What a proxy does for a key where a request, or an upstream, does not say. */
export function PolicyInputs({ form }: { form: KeyForm }) {
  return (
    <Stack gap="sm">
      <Group grow align="start">
        <Select
          label="Charge without a usage report"
          description="Where an upstream failed midway"
          allowDeselect={false}
          data={MISSING_USAGE}
          {...form.getInputProps("policies.onMissingUsage")}
        />
        <NumberInput
          label="Output tokens held"
          description="Where a request names no maximum"
          placeholder="as the proxy is set"
          min={0}
          max={OUTPUT_TOKENS_MAX}
          allowDecimal={false}
          thousandSeparator=","
          {...form.getInputProps("policies.defaultOutputTokens")}
        />
      </Group>
      <FailOpen form={form} />
      <UnknownPrice form={form} />
    </Stack>
  );
}

function FailOpen({ form }: { form: KeyForm }) {
  return (
    <Stack gap={6}>
      <Switch
        label="Admit a few requests while quotad is away"
        description="They are charged once it is back, and may overrun limits by this much for each proxy"
        {...form.getInputProps("policies.failOpen", { type: "checkbox" })}
      />
      {form.values.policies.failOpen && (
        <Group grow align="start">
          <NumberInput
            label="Requests"
            min={1}
            max={ALLOWANCE_REQUESTS_MAX}
            allowDecimal={false}
            thousandSeparator=","
            {...form.getInputProps("policies.allowanceRequests")}
          />
          <NumberInput
            label="In any"
            suffix=" s"
            min={1}
            max={ALLOWANCE_SECONDS_MAX}
            allowDecimal={false}
            {...form.getInputProps("policies.allowanceSeconds")}
          />
        </Group>
      )}
    </Stack>
  );
}

function UnknownPrice({ form }: { form: KeyForm }) {
  return (
    <Stack gap={6}>
      <Switch
        label="Use a price of its own for models whose price is not known"
        description="Otherwise a limit on cost refuses such models"
        {...form.getInputProps("policies.useDefaultPrice", { type: "checkbox" })}
      />
      {form.values.policies.useDefaultPrice && (
        <Group grow align="start">
          <PriceInput form={form} label="Per million input tokens" path="policies.inputPrice" />
          <PriceInput form={form} label="Per million output tokens" path="policies.outputPrice" />
        </Group>
      )}
    </Stack>
  );
}

function PriceInput({ form, label, path }: { form: KeyForm; label: string; path: string }) {
  return (
    <NumberInput
      label={label}
      prefix="$"
      min={0}
      max={PRICE_USD_MAX}
      decimalScale={6}
      {...form.getInputProps(path)}
    />
  );
}
