import { Button, PasswordInput, Stack } from "@mantine/core";
import { useForm } from "@mantine/form";
import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { DialogButtons } from "@/components/DialogButtons";
import { Failure } from "@/components/Failure";
import { Section } from "@/features/security/Section";
import { useChangePassword } from "@/features/session/session";

export function PasswordSection() {
  const [open, setOpen] = useState(false);
  return (
    <Section
      title="Password"
      hint="Changing it ends every other session."
      action={
        !open && (
          <Button variant="default" size="xs" onClick={() => setOpen(true)}>
            Change password
          </Button>
        )
      }
    >
      {open && <PasswordForm onClose={() => setOpen(false)} />}
    </Section>
  );
}

function PasswordForm({ onClose }: { onClose: () => void }) {
  const change = useChangePassword();
  const queryClient = useQueryClient();
  const form = useForm({
    initialValues: { currentPassword: "", newPassword: "", again: "" },
    validate: {
      currentPassword: (value) => (value ? null : "Enter the password that you have"),
      newPassword: (value) => (value ? null : "Choose a password"),
      again: (value, all) => (value === all.newPassword ? null : "The two passwords differ"),
    },
  });
  const submit = form.onSubmit(({ currentPassword, newPassword }) =>
    change.mutate(
      { currentPassword, newPassword },
      {
        onSuccess: () => {
          notifications.show({ message: "The password is changed. All other sessions have ended." });
          void queryClient.invalidateQueries({ queryKey: ["sessions"] });
          onClose();
        },
      },
    ),
  );
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="sm" maw={360}>
        {change.error && <Failure title="The password was not changed" error={change.error} />}
        <PasswordInput
          label="Current password"
          autoComplete="current-password"
          autoFocus
          {...form.getInputProps("currentPassword")}
        />
        <PasswordInput
          label="New password"
          description="8 characters or more"
          autoComplete="new-password"
          {...form.getInputProps("newPassword")}
        />
        <PasswordInput
          label="New password again"
          autoComplete="new-password"
          {...form.getInputProps("again")}
        />
        <DialogButtons label="Set password" loading={change.isPending} onCancel={onClose} />
      </Stack>
    </form>
  );
}
