import { Stack } from "@mantine/core";
import { PageHeader } from "@/components/PageHeader";
import { PasswordSection } from "@/features/security/PasswordSection";
import { SessionSection } from "@/features/security/SessionSection";
import { TotpSection } from "@/features/security/TotpSection";

/** What guards the operator account. */
export function SecurityPage() {
  return (
    <Stack gap="sm" maw={860}>
      <PageHeader title="Security" />
      <TotpSection />
      <PasswordSection />
      <SessionSection />
    </Stack>
  );
}
