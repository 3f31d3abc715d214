import { Group, Text } from "@mantine/core";

export function Brand() {
  return (
    <Group gap={8} wrap="nowrap">
      <img src="/favicon.svg" width={22} height={22} alt="" />
      <Text fw={700} fz={16} lh={1}>
        quotad
      </Text>
    </Group>
  );
}
