import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { type FormEvent, useEffect, useRef, useState } from "react";
import type { TotpSetup } from "@/api/schema.gen";
import { CopyButton } from "@/components/CopyButton";
import { Failure } from "@/components/Failure";
import { Loading } from "@/components/Loading";
import { useConfirmTotp, useSetUpTotp } from "@/features/security/queries";
import { RecoveryCodes } from "@/features/security/RecoveryCodes";

/** Shows a secret to the app, takes its first code, and then shows the recovery codes. */
export function TotpSetupDialog({ onClose }: { onClose: () => void }) {
  const { mutate: begin, ...setup } = useSetUpTotp();
  const confirm = useConfirmTotp();
  const begun = useRef(false);
  useEffect(() => {
    if (!begun.current) {
      begun.current = true;
      begin();
    }
  }, [begin]);
  const codes = confirm.data?.recoveryCodes;
  return (
    <Modal
      opened
      onClose={onClose}
      title={codes ? "Recovery codes" : "Set up one-time passwords"}
      closeOnClickOutside={false}
      closeOnEscape={!codes}
      withCloseButton={!codes}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {codes && <RecoveryCodes codes={codes} onDone={onClose} />}
      {!codes && setup.error && <Failure error={setup.error} onRetry={() => begin()} />}
      {!codes && setup.isPending && <Loading height={280} label="Loading" />}
      {!codes && setup.data && (
        <SetupForm
          setup={setup.data}
          error={confirm.error}
          loading={confirm.isPending}
          onSubmit={(code) => confirm.mutate(code)}
        />
      )}
    </Modal>
  );
}

type FormProps = {
  setup: TotpSetup;
  error: Error | null;
  loading: boolean;
  onSubmit: (code: string) => void;
};

function SetupForm({ setup, error, loading, onSubmit }: FormProps) {
  const [code, setCode] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSubmit(code);
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <Text size="sm">Scan this with an authenticator app, then enter the code that it shows.</Text>
        <Group justify="center">
          <img className="qr" src={dataUri(setup.qrSvg)} alt="QR code for the authenticator app" />
        </Group>
        <Group gap={4} justify="center" wrap="nowrap">
          <Text size="xs" c="dimmed" className="mono breaks" data-testid="totp-secret">
            {setup.secret}
          </Text>
          <CopyButton value={setup.secret} label="Copy the secret" />
        </Group>
        {error && <Failure title="Not turned on" error={error} />}
        <TextInput
          label="Code"
          description="Six digits"
          placeholder="123456"
          inputMode="numeric"
          autoComplete="one-time-code"
          className="mono"
          data-autofocus
          required
          withAsterisk={false}
          value={code}
          onChange={(event) => setCode(event.currentTarget.value)}
        />
        <Button type="submit" loading={loading} fullWidth>
          Turn on
        </Button>
      </Stack>
    </form>
  );
}

function dataUri(svg: string): string {
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
