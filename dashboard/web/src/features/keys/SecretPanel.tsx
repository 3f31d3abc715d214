import { Alert, Box, Button, Code, Group, Paper, Stack, Tabs, Text } from "@mantine/core";
import { IconEyeOff } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { CopyButton } from "@/components/CopyButton";
import { exampleModel, snippets } from "@/features/keys/snippets";
import { sessionQuery } from "@/features/session/session";

type Props = { secret: string; allowedModels: readonly string[]; onDone: () => void };

/** The only sight of a new key's secret, with what is needed to use it. */
export function SecretPanel({ secret, allowedModels, onDone }: Props) {
  const { data: session } = useQuery(sessionQuery);
  return (
    <Stack gap="md">
      <Alert
        icon={<IconEyeOff size={18} color="var(--mantine-color-yellow-6)" />}
        title="Copy the secret now"
      >
        <Text size="sm">Only its fingerprint is kept. It cannot be shown again.</Text>
      </Alert>
      <Paper withBorder px="sm" py={6}>
        <Group justify="space-between" wrap="nowrap">
          <Text className="mono breaks" size="sm" data-testid="secret">
            {secret}
          </Text>
          <CopyButton value={secret} label="Copy the secret" />
        </Group>
      </Paper>
      {session?.proxyUrl && (
        <SnippetTabs proxyUrl={session.proxyUrl} secret={secret} model={exampleModel(allowedModels)} />
      )}
      <Group justify="flex-end">
        <Button onClick={onDone}>I have saved it</Button>
      </Group>
    </Stack>
  );
}

function SnippetTabs({ proxyUrl, secret, model }: { proxyUrl: string; secret: string; model: string }) {
  const all = snippets(proxyUrl, secret, model);
  return (
    <Tabs defaultValue={all[0]?.name}>
      <Tabs.List>
        {all.map(({ name }) => (
          <Tabs.Tab key={name} value={name}>
            {name}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      {all.map(({ name, text }) => (
        <Tabs.Panel key={name} value={name} pt="xs">
          <Box pos="relative">
            <Code block>{text}</Code>
            <Box pos="absolute" top={6} right={6}>
              <CopyButton value={text} label={`Copy the ${name} lines`} />
            </Box>
          </Box>
        </Tabs.Panel>
      ))}
    </Tabs>
  );
}
