import { Stack, TagsInput, TextInput } from "@mantine/core";
import { DateTimePicker } from "@mantine/dates";
import dayjs from "dayjs";
import type { KeyForm } from "@/features/keys/keyForm";
import { LimitsEditor } from "@/features/keys/LimitsEditor";

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
      <LimitsEditor form={form} />
      <TagsInput
        label="Models"
        description="Exact names, or a beginning followed by *. Empty allows every model"
        placeholder={form.values.allowedModels.length > 0 ? "" : "gpt-5*"}
        acceptValueOnBlur
        {...form.getInputProps("allowedModels")}
      />
      <ExpiryField form={form} />
    </Stack>
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
