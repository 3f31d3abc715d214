import { ActionIcon, Button, Group, Input, Paper, Stack, Text, Tooltip } from "@mantine/core";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { LimitInputs } from "@/features/keys/LimitInputs";
import {
  type LimitFields,
  type LimitsForm,
  limitDraftOf,
  limitProblem,
  newLimitFields,
} from "@/features/keys/limitFields";
import { ruleInWords } from "@/features/keys/rule";

/** The limits of a key or a group: a request must fit every one of them. */
export function LimitsEditor({ form, whenEmpty }: { form: LimitsForm; whenEmpty: ReactNode }) {
  const { limits } = form.values;
  return (
    <Stack gap={6}>
      <Group justify="space-between" align="end">
        <div>
          <Input.Label component="div">Limits</Input.Label>
          <Input.Description>A request is admitted only if it fits all of them</Input.Description>
        </div>
        <Button
          size="compact-sm"
          variant="default"
          leftSection={<IconPlus size={14} />}
          onClick={() => form.insertListItem("limits", newLimitFields())}
        >
          Add a limit
        </Button>
      </Group>
      {limits.length === 0 && (
        <Text size="sm" c="dimmed">
          {whenEmpty}
        </Text>
      )}
      {limits.map((fields, index) => (
        <LimitEditor key={fields.id} form={form} fields={fields} index={index} />
      ))}
    </Stack>
  );
}

function LimitEditor({ form, fields, index }: { form: LimitsForm; fields: LimitFields; index: number }) {
  const shown = form.errors[`limits.${index}.id`] ? limitProblem(fields, form.values.limits) : null;
  return (
    <Paper withBorder p="xs" role="group" aria-label={`Limit ${index + 1}`}>
      <Group align="start" gap="xs" wrap="nowrap">
        <LimitInputs form={form} fields={fields} index={index} />
        <Tooltip label="Remove this limit">
          <ActionIcon
            variant="subtle"
            color="gray"
            size="md"
            aria-label={`Remove limit ${index + 1}`}
            onClick={() => form.removeListItem("limits", index)}
          >
            <IconTrash size={16} />
          </ActionIcon>
        </Tooltip>
      </Group>
      <Text size="xs" mt={6} c={shown ? "red" : "dimmed"} role={shown ? "alert" : undefined}>
        {shown ?? words(fields)}
      </Text>
    </Paper>
  );
}

/** The rule as a sentence as soon as there is one. */
function words(fields: LimitFields): string {
  return limitProblem(fields, [fields]) ?? ruleInWords(limitDraftOf(fields));
}
