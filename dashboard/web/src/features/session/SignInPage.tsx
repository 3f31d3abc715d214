import { Button, PasswordInput, Stack } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Failure } from "@/components/Failure";
import { CodeForm } from "@/features/session/CodeForm";
import { Entrance } from "@/features/session/Entrance";
import { sessionQuery, useSignIn, useSignOut, useVerifyCode } from "@/features/session/session";

/** The password, and after it the code where one is due. */
export function SignInPage() {
  const { data: session } = useQuery(sessionQuery);
  return session?.totpDue ? <CodeStep /> : <PasswordStep />;
}

function PasswordStep() {
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

function CodeStep() {
  const verify = useVerifyCode();
  const signOut = useSignOut();
  return (
    <Entrance title="Enter a code" hint="The password was right. The second step shows that it is you.">
      <CodeForm
        label="Continue"
        failure="Not signed in"
        error={verify.error}
        loading={verify.isPending}
        onSubmit={(given) => verify.mutate(given)}
      />
      <Button variant="subtle" color="gray" size="compact-sm" onClick={() => signOut.mutate()}>
        Back to the password
      </Button>
    </Entrance>
  );
}
