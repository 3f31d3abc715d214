import { Button, FileButton, Group, PasswordInput, Stack, Text, Textarea } from "@mantine/core";
import { IconFileUpload } from "@tabler/icons-react";
import type { AccountForm } from "@/features/accounts/accountForm";

/** The secrets of the chosen way; they go in and are never shown again. */
export function SecretInputs({ form }: { form: AccountForm }) {
  switch (form.values.way) {
    case "apiKey":
      return <PasswordInput label="API key" autoComplete="off" {...form.getInputProps("apiKey")} />;
    case "tokens":
      return (
        <Stack gap="sm">
          <PasswordInput label="Access token" autoComplete="off" {...form.getInputProps("accessToken")} />
          <PasswordInput
            label="Refresh token"
            description="Works once: nothing else may use it from now on"
            autoComplete="off"
            {...form.getInputProps("refreshToken")}
          />
          <PasswordInput
            label="Id token"
            description="May be left out"
            autoComplete="off"
            {...form.getInputProps("idToken")}
          />
        </Stack>
      );
    case "authJson":
      return <AuthJson form={form} />;
  }
}

function AuthJson({ form }: { form: AccountForm }) {
  const read = async (file: File | null) => {
    if (file) {
      form.setFieldValue("authJson", await file.text());
    }
  };
  return (
    <Stack gap="xs">
      <Textarea
        label="auth.json"
        description="The file ~/.codex/auth.json of a Codex CLI that is signed in"
        placeholder="Paste its content, or choose the file"
        rows={5}
        resize="vertical"
        classNames={{ input: "mono" }}
        autoComplete="off"
        spellCheck={false}
        {...form.getInputProps("authJson")}
      />
      <Group justify="space-between" gap="xs">
        <Text size="xs" c="dimmed" maw={360}>
          Its refresh token works once and is the proxies' from now on: run <code>codex login</code> anew for
          Codex itself.
        </Text>
        <FileButton accept="application/json,.json" onChange={(file) => void read(file)}>
          {(props) => (
            <Button {...props} size="compact-sm" variant="default" leftSection={<IconFileUpload size={14} />}>
              Choose the file
            </Button>
          )}
        </FileButton>
      </Group>
    </Stack>
  );
}
