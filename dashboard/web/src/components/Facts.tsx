import { DataList, Group, Stack, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";
import { CopyButton } from "@/components/CopyButton";

type Fact = readonly [label: string, value: string | null | undefined];

/** Pairs of label and value; what is not known is left out. Ids can be copied. */
export function Facts({ facts, ids = [] }: { facts: readonly Fact[]; ids?: readonly Fact[] }) {
  return (
    <DataList size="sm" gap={6} labelWidth={104}>
      {known(facts).map(([label, value]) => (
        <DataList.Item key={label}>
          <DataList.ItemLabel>{label}</DataList.ItemLabel>
          <DataList.ItemValue>
            <Text size="sm" className="breaks">
              {value}
            </Text>
          </DataList.ItemValue>
        </DataList.Item>
      ))}
      {known(ids).map(([label, value]) => (
        <DataList.Item key={label}>
          <DataList.ItemLabel>{label}</DataList.ItemLabel>
          <DataList.ItemValue>
            <Group gap={4} wrap="nowrap">
              <Text size="sm" className="mono" truncate title={value}>
                {value}
              </Text>
              <CopyButton value={value} label={`Copy ${label.toLowerCase()}`} />
            </Group>
          </DataList.ItemValue>
        </DataList.Item>
      ))}
    </DataList>
  );
}

export function FactSection({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Stack gap={6} component="section">
      <Title order={2} fz="xs" tt="uppercase" c="dimmed" lts={0.4}>
        {title}
      </Title>
      {children}
    </Stack>
  );
}

function known(facts: readonly Fact[]): Array<readonly [string, string]> {
  return facts.flatMap(([label, value]) => (value ? [[label, value] as const] : []));
}
