import { Button, Paper, Stack, TagsInput, Text, TextInput } from "@mantine/core";
import { DateTimePicker } from "@mantine/dates";
import { useDisclosure } from "@mantine/hooks";
import { IconChevronDown, IconChevronRight } from "@tabler/icons-react";
import dayjs from "dayjs";
import { GroupSelect } from "@/features/groups/GroupSelect";
import type { KeyForm } from "@/features/keys/keyForm";
import { LimitsEditor } from "@/features/keys/LimitsEditor";
import { PolicyInputs } from "@/features/keys/PolicyInputs";

/** What an operator decides about a key. */
export function KeyFields({ form }: { form: KeyForm }) {
  return (
    <Stack gap="md">
      <TextInput
        label="Name"
        description="Who or what uses it"
        placeholder="ci-nightly"
        autoComplete="off"
        data-autofocus
        {...form.getInputProps("name")}
      />
      <GroupSelect
        label="Group"
        description="Its limits, and those above it, bind the key too"
        {...form.getInputProps("groupId")}
      />
      <LimitsEditor form={form} whenEmpty={<WithoutLimits isInGroup={form.values.groupId !== ""} />} />
      <TagsInput
        label="Models"
        description="Exact names, or a beginning followed by *. Empty allows every model"
        placeholder={form.values.allowedModels.length > 0 ? "" : "gpt-5*"}
        acceptValueOnBlur
        {...form.getInputProps("allowedModels")}
      />
      <ExpiryField form={form} />
      <PolicySection form={form} />
    </Stack>
  );
}

function WithoutLimits({ isInGroup }: { isInGroup: boolean }) {
  return isInGroup ? (
    "Without a limit of its own the key may use all that its groups leave."
  ) : (
    <Text span inherit c="orange">
      Without a limit this key may use everything that the accounts give.
    </Text>
  );
}

function PolicySection({ form }: { form: KeyForm }) {
  const hasProblem = Object.keys(form.errors).some((path) => path.startsWith("policies."));
  const [opened, { toggle }] = useDisclosure(false);
  const isShown = opened || hasProblem;
  const Icon = isShown ? IconChevronDown : IconChevronRight;
  return (
    <div>
      <Button
        variant="subtle"
        color="gray"
        size="compact-sm"
        leftSection={<Icon size={14} />}
        aria-expanded={isShown}
        onClick={toggle}
      >
        Policies
      </Button>
      {isShown && (
        <Paper withBorder p="sm" mt={6}>
          <PolicyInputs form={form} />
        </Paper>
      )}
    </div>
  );
}

function ExpiryField({ form }: { form: KeyForm }) {
  const { expireTime } = form.values;
  return (
    <DateTimePicker
      label="Expires"
      description="From then on it is refused"
      placeholder="never"
      clearable
      valueFormat="DD MMM YYYY HH:mm"
      minDate={dayjs().format("YYYY-MM-DD HH:mm:ss")}
      value={expireTime ? dayjs(expireTime).format("YYYY-MM-DD HH:mm:ss") : null}
      onChange={(local) => form.setFieldValue("expireTime", local ? dayjs(local).toISOString() : null)}
    />
  );
}
