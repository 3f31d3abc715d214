import { Badge, Button, Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { TotpState } from "@/api/schema.gen";
import { Failure } from "@/components/Failure";
import { Loading } from "@/components/Loading";
import { Moment } from "@/components/Moment";
import { totpQuery } from "@/features/security/queries";
import { Section } from "@/features/security/Section";
import { DisableTotpDialog, RenewCodesDialog } from "@/features/security/TotpDialogs";
import { TotpSetupDialog } from "@/features/security/TotpSetupDialog";

type Dialog = "setup" | "disable" | "renew";

/** The second step of a sign-in: on or off, and what is left of the recovery codes. */
export function TotpSection() {
  const state = useQuery(totpQuery);
  const [dialog, setDialog] = useState<Dialog | null>(null);
  const close = () => setDialog(null);
  return (
    <Section
      title="One-time passwords"
      hint="A sign-in then needs a code of an authenticator app as well as the password."
      aside={state.data && <StateBadge configured={state.data.configured} />}
      action={state.data && <Actions configured={state.data.configured} open={setDialog} />}
    >
      {state.isPending && <Loading height={20} label="Loading" />}
      {state.isLoadingError && <Failure error={state.error} onRetry={() => void state.refetch()} />}
      {state.data?.configured && <Details state={state.data} />}
      {dialog === "setup" && <TotpSetupDialog onClose={close} />}
      {dialog === "disable" && <DisableTotpDialog onClose={close} />}
      {dialog === "renew" && <RenewCodesDialog onClose={close} />}
    </Section>
  );
}

function StateBadge({ configured }: { configured: boolean }) {
  return (
    <Badge size="sm" radius="sm" variant="light" color={configured ? "teal" : "yellow"} tt="none">
      {configured ? "On" : "Off"}
    </Badge>
  );
}

function Actions({ configured, open }: { configured: boolean; open: (dialog: Dialog) => void }) {
  if (!configured) {
    return (
      <Button size="xs" onClick={() => open("setup")}>
        Set up
      </Button>
    );
  }
  return (
    <Group gap="xs">
      <Button size="xs" variant="default" onClick={() => open("renew")}>
        New recovery codes
      </Button>
      <Button size="xs" variant="default" onClick={() => open("disable")}>
        Turn off
      </Button>
    </Group>
  );
}

function Details({ state: { confirmTime, recoveryCodesLeft } }: { state: TotpState }) {
  const few = recoveryCodesLeft < 3;
  return (
    <Text size="sm">
      {confirmTime && (
        <>
          On since <Moment value={confirmTime} />.{" "}
        </>
      )}
      <Text span inherit fw={few ? 600 : undefined}>
        {recoveryCodesLeft} of 10 recovery codes left{few && ": make new ones"}.
      </Text>
    </Text>
  );
}
