import { Badge, Group, Paper, Progress, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";
import type { Ledger, Overview, PartHealth } from "@/api/schema.gen";
import { Moment } from "@/components/Moment";
import { TextLink } from "@/components/TextLink";
import { LimitLine } from "@/features/keys/LimitLine";
import { limitName } from "@/features/keys/rule";
import { standing } from "@/features/refusals/words";
import { amountsInWords } from "@/lib/amounts";
import { count, seconds } from "@/lib/format";

/** How everything stands at this moment, whatever the range. */
export function Standing({ overview, now }: { overview: Overview; now: Date }) {
  const { ledger } = overview;
  if (ledger === null) {
    return (
      <Text size="sm" c="dimmed">
        quotad does not answer: limits, refusals and holds cannot be read.
      </Text>
    );
  }
  return (
    <SimpleGrid cols={{ base: 1, md: 3 }} spacing="sm">
      <Panel title="Refusing at present" aside="last 15 minutes" to="/refusals">
        <Refusing ledger={ledger} />
      </Panel>
      <Panel title="Nearest to a limit" aside="used and held" to="/limits">
        <Nearest ledger={ledger} now={now} />
      </Panel>
      <Panel title="Open holds" aside="by age" to="/reservations">
        <Holds ledger={ledger} />
      </Panel>
    </SimpleGrid>
  );
}

function Refusing({ ledger: { refusing } }: { ledger: Ledger }) {
  if (refusing.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        Nobody is refused.
      </Text>
    );
  }
  return refusing.map((refused) => {
    const { label, color } = standing(refused);
    return (
      <div key={`${refused.limitId} ${refused.enforcement}`}>
        <Group gap={6} justify="space-between" wrap="nowrap">
          <Text size="sm" truncate title={refused.owner.name}>
            {refused.owner.name}: {limitName(refused)}
          </Text>
          <Badge size="sm" radius="sm" variant="light" color={color} tt="none" flex="none">
            {label}
          </Badge>
        </Group>
        <Text size="xs" c="dimmed">
          {count(refused.refused)}×, last <Moment value={refused.lastTime} />
          {refused.status?.resetTime && (
            <>
              {" "}
              · resets <Moment value={refused.status.resetTime} />
            </>
          )}
        </Text>
      </div>
    );
  });
}

function Nearest({ ledger: { limits }, now }: { ledger: Ledger; now: Date }) {
  const near = limits.filter(({ utilisation }) => utilisation > 0);
  if (near.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        No limit is in use.
      </Text>
    );
  }
  return near.slice(0, 5).map((limit) => (
    <div key={limit.limitId}>
      <Text size="xs" fw={600} truncate>
        {limit.owner.kind === "group" ? `Group ${limit.owner.name}` : limit.owner.name}
      </Text>
      <LimitLine limit={limit} now={now} />
    </div>
  ));
}

function Holds({ ledger: { holds } }: { ledger: Ledger }) {
  if (holds.count === 0) {
    return (
      <Text size="sm" c="dimmed">
        Nothing is held.
      </Text>
    );
  }
  return (
    <>
      <Text size="sm">{holds.isComplete ? count(holds.count) : `more than ${count(holds.count)}`} open</Text>
      {holds.byAge.map(({ ageMinSeconds, count: many }) => (
        <Group key={ageMinSeconds} gap="xs" wrap="nowrap">
          <Text size="xs" c="dimmed" w={92} className="nowrap">
            {ageMinSeconds === 0 ? "under 1 min" : `over ${seconds(ageMinSeconds)}`}
          </Text>
          <Progress
            flex={1}
            size={8}
            value={(100 * many) / holds.count}
            color={ageMinSeconds >= OLD_SECONDS && many > 0 ? "orange" : "indigo"}
            aria-label={`Holds of this age: ${many}`}
          />
          <Text size="xs" w={36} ta="right">
            {count(many)}
          </Text>
        </Group>
      ))}
      <Text size="xs" c="dimmed">
        Oldest
      </Text>
      {holds.oldest.slice(0, 3).map((held) => (
        <Text key={held.reservationId} size="xs" truncate>
          {seconds(held.ageSeconds)} · {held.apiKeyName ?? held.apiKeyId} · {amountsInWords(held.reserved)}
        </Text>
      ))}
    </>
  );
}

/** A request that takes this long is rare enough to be looked at. */
const OLD_SECONDS = 1800;

export function Health({ health }: { health: PartHealth[] }) {
  return (
    <Group gap="xs" role="list" aria-label="Health">
      {health.map(({ part, isWell, latencyMs, message }) => (
        <Badge
          key={part}
          role="listitem"
          variant="dot"
          color={isWell ? "teal" : "red"}
          tt="none"
          fw={500}
          title={message}
        >
          {part === "proxies"
            ? `proxies: ${message}`
            : `${part}${latencyMs === null ? ": away" : ` ${latencyMs} ms`}`}
        </Badge>
      ))}
    </Group>
  );
}

type PanelProps = {
  title: string;
  aside: string;
  to: "/refusals" | "/limits" | "/reservations";
  children: ReactNode;
};

function Panel({ title, aside, to, children }: PanelProps) {
  return (
    <Paper withBorder p="sm" component="section" aria-label={title}>
      <Stack gap="xs">
        <Group justify="space-between" gap="xs" align="baseline">
          <Title order={2} fz="sm">
            <TextLink to={to}>{title}</TextLink>
          </Title>
          <Text size="xs" c="dimmed">
            {aside}
          </Text>
        </Group>
        {children}
      </Stack>
    </Paper>
  );
}
