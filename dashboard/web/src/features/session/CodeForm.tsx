import { Anchor, Button, Group, Stack, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { Failure } from "@/components/Failure";
import type { GivenCode } from "@/features/session/session";

type Props = {
  label: string;
  failure: string;
  error: Error | null;
  loading: boolean;
  color?: string;
  onSubmit: (given: GivenCode) => void;
};

/** Asks for a code of the app, or for a recovery code where there is no phone. */
export function CodeForm({ label, failure, error, loading, color, onSubmit }: Props) {
  const [text, setText] = useState("");
  const [recovery, setRecovery] = useState(false);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSubmit(recovery ? { recoveryCode: text } : { code: text });
    setText("");
  };
  const change = () => {
    setText("");
    setRecovery(!recovery);
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        {error && <Failure title={failure} error={error} />}
        <TextInput
          key={recovery ? "recovery" : "code"}
          label={recovery ? "Recovery code" : "Code"}
          description={recovery ? "Each works once" : "Six digits of your authenticator app"}
          placeholder={recovery ? "xxxx-xxxx-xxxx-xxxx" : "123456"}
          inputMode={recovery ? "text" : "numeric"}
          autoComplete={recovery ? "off" : "one-time-code"}
          className="mono"
          spellCheck={false}
          autoFocus
          data-autofocus
          required
          withAsterisk={false}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
        />
        <Button type="submit" color={color} loading={loading} fullWidth>
          {label}
        </Button>
        <Group justify="center">
          <Anchor component="button" type="button" size="sm" onClick={change}>
            {recovery ? "Use the authenticator app" : "Use a recovery code"}
          </Anchor>
        </Group>
      </Stack>
    </form>
  );
}
