import { Group, Paper, Stack, Text, Title } from "@mantine/core";
import { type ReactNode, useId } from "react";

type Props = { title: string; hint: ReactNode; aside?: ReactNode; action?: ReactNode; children?: ReactNode };

/** One subject of the page: what it is, how it stands, and what can be done about it. */
export function Section({ title, hint, aside, action, children }: Props) {
  const id = useId();
  return (
    <Paper withBorder p="md" component="section" aria-labelledby={id}>
      <Stack gap="sm">
        <Group justify="space-between" align="start" gap="sm">
          <div>
            <Group gap="xs">
              <Title order={2} id={id}>
                {title}
              </Title>
              {aside}
            </Group>
            <Text size="sm" c="dimmed" mt={2}>
              {hint}
            </Text>
          </div>
          {action}
        </Group>
        {children}
      </Stack>
    </Paper>
  );
}
