import { Button, PasswordInput, Stack } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { Failure } from "@/components/Failure";
import { Entrance } from "@/features/session/Entrance";
import { useSignIn } from "@/features/session/session";

export function SignInPage() {
  const [password, setPassword] = useState("");
  const signIn = useSignIn();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    signIn.mutate(password);
  };
  return (
    <Entrance title="Sign in" hint="This dashboard has one operator account.">
      <form onSubmit={submit}>
        <Stack gap="md">
          {signIn.error && <Failure title="Not signed in" error={signIn.error} />}
          <PasswordInput
            label="Password"
            autoComplete="current-password"
            autoFocus
            required
            withAsterisk={false}
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
          <Button type="submit" loading={signIn.isPending} fullWidth>
            Sign in
          </Button>
        </Stack>
      </form>
    </Entrance>
  );
}
