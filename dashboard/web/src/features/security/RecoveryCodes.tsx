import { Alert, Button, CopyButton, Group, Paper, SimpleGrid, Stack, Text } from "@mantine/core";
import { IconCheck, IconCopy, IconEyeOff } from "@tabler/icons-react";

type Props = { codes: readonly string[]; onDone: () => void };

/** The only sight of the recovery codes. */
export function RecoveryCodes({ codes, onDone }: Props) {
  return (
    <Stack gap="md">
      <Alert
        icon={<IconEyeOff size={18} color="var(--mantine-color-yellow-6)" />}
        title="Save these codes now"
      >
        <Text size="sm">
          Each signs in once in place of the app, should the phone be lost. They cannot be shown again.
        </Text>
      </Alert>
      <Paper withBorder p="sm">
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="xs" verticalSpacing={6} data-testid="recovery-codes">
          {codes.map((code) => (
            <Text key={code} size="sm" className="mono nowrap" ta="center">
              {code}
            </Text>
          ))}
        </SimpleGrid>
      </Paper>
      <Group justify="space-between">
        <CopyButton value={codes.join("\n")} timeout={1500}>
          {({ copied, copy }) => (
            <Button
              variant="default"
              leftSection={copied ? <IconCheck size={16} /> : <IconCopy size={16} />}
              onClick={copy}
            >
              {copied ? "Copied" : "Copy all"}
            </Button>
          )}
        </CopyButton>
        <Button onClick={onDone}>I have saved them</Button>
      </Group>
    </Stack>
  );
}
