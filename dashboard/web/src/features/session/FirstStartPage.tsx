import { Button, PasswordInput, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { Failure } from "@/components/Failure";
import { Entrance } from "@/features/session/Entrance";
import { useSetPassword } from "@/features/session/session";

export function FirstStartPage() {
  const setPassword = useSetPassword();
  const form = useForm({
    initialValues: { bootstrapToken: "", newPassword: "", again: "" },
    validate: {
      bootstrapToken: (value) => (value.trim() ? null : "Paste the token that the start printed"),
      newPassword: (value) => (value ? null : "Choose a password"),
      again: (value, all) => (value === all.newPassword ? null : "The two passwords differ"),
    },
  });
  const submit = form.onSubmit(({ bootstrapToken, newPassword }) =>
    setPassword.mutate({ bootstrapToken: bootstrapToken.trim(), newPassword }),
  );
  return (
    <Entrance
      title="Set the password"
      hint="First start. The bootstrap token was printed where the dashboard was started; it works once."
    >
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          {setPassword.error && <Failure title="The password was not set" error={setPassword.error} />}
          <TextInput
            label="Bootstrap token"
            className="mono"
            autoComplete="off"
            autoFocus
            spellCheck={false}
            {...form.getInputProps("bootstrapToken")}
          />
          <PasswordInput
            label="New password"
            autoComplete="new-password"
            {...form.getInputProps("newPassword")}
          />
          <PasswordInput
            label="New password again"
            autoComplete="new-password"
            {...form.getInputProps("again")}
          />
          <Button type="submit" loading={setPassword.isPending} fullWidth>
            Set password and sign in
          </Button>
        </Stack>
      </form>
    </Entrance>
  );
}
