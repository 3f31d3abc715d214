import { Button, PasswordInput, Stack } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api } from "@/api/client";
import { Failure } from "@/components/Failure";
import { CodeForm } from "@/features/session/CodeForm";
import type { GivenCode } from "@/features/session/session";

type Props = { hasTotp: boolean; onConfirmed: () => void };

/** A code where there is an app to read one from, the password otherwise. */
export function StepUpForm({ hasTotp, onConfirmed }: Props) {
  const stepUp = useMutation({
    mutationFn: async (proof: GivenCode | { password: string }) => {
      await api.POST("/api/auth/step-up", { body: proof });
    },
    onSuccess: onConfirmed,
  });
  const shared = { error: stepUp.error, loading: stepUp.isPending };
  return hasTotp ? (
    <CodeForm
      label="Confirm"
      failure="Not confirmed"
      onSubmit={(given) => stepUp.mutate(given)}
      {...shared}
    />
  ) : (
    <PasswordForm onSubmit={(password) => stepUp.mutate({ password })} {...shared} />
  );
}

type PasswordFormProps = { error: Error | null; loading: boolean; onSubmit: (password: string) => void };

function PasswordForm({ error, loading, onSubmit }: PasswordFormProps) {
  const [password, setPassword] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSubmit(password);
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        {error && <Failure title="Not confirmed" error={error} />}
        <PasswordInput
          label="Password"
          autoComplete="current-password"
          data-autofocus
          required
          withAsterisk={false}
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
        />
        <Button type="submit" loading={loading} fullWidth>
          Confirm
        </Button>
      </Stack>
    </form>
  );
}
