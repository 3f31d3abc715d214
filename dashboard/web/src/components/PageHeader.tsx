import { Group, Title } from "@mantine/core";
import type { ReactNode } from "react";

/** A page's title, what belongs beside it, and its actions at the end of the line. */
export function PageHeader({
  title,
  aside,
  children,
}: {
  title: string;
  aside?: ReactNode;
  children?: ReactNode;
}) {
  return (
    <Group justify="space-between" gap="sm" mih={34}>
      <Group gap="sm" align="baseline">
        <Title order={1}>{title}</Title>
        {aside}
      </Group>
      {children && (
        <Group gap="xs" wrap="nowrap" w={{ base: "100%", xs: "auto" }}>
          {children}
        </Group>
      )}
    </Group>
  );
}
