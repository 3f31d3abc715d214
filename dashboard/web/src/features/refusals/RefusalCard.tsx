import { Sparkline } from "@mantine/charts";
import { Badge, Group, List, Paper, Stack, Text } from "@mantine/core";
import type { RefusalSample, RefusedBy } from "@/api/schema.gen";
import { Moment } from "@/components/Moment";
import { TextLink } from "@/components/TextLink";
import { LimitMeter } from "@/features/keys/LimitMeter";
import { limitName, ruleInWords } from "@/features/keys/rule";
import { fitInWords, refusalInWords, refusedByName, standing } from "@/features/refusals/words";
import { count } from "@/lib/format";

const SAMPLES_SHOWN = 3;

/** One limit that refused: how often, whom, and why. */
export function RefusalCard({ refused }: { refused: RefusedBy }) {
  const { status } = refused;
  return (
    <Paper withBorder p="sm" component="article" aria-label={refusedByName(refused)}>
      <Stack gap="xs">
        <Heading refused={refused} />
        {status && <LimitMeter {...status} label={`${limitName(refused)}: used`} />}
        <Text size="xs" c="dimmed">
          {status && ruleInWords(status)}{" "}
          {status?.resetTime && (
            <>
              Resets <Moment value={status.resetTime} />.
            </>
          )}
        </Text>
        <Whom refused={refused} />
        <List size="sm" spacing={4}>
          {refused.samples.slice(0, SAMPLES_SHOWN).map((sample) => (
            <List.Item key={`${sample.time} ${sample.apiKeyId}`}>
              <Sample metric={refused.metric} sample={sample} />
            </List.Item>
          ))}
        </List>
      </Stack>
    </Paper>
  );
}

function Heading({ refused }: { refused: RefusedBy }) {
  const { label, color } = standing(refused);
  const { owner, points } = refused;
  return (
    <Group justify="space-between" align="start" wrap="nowrap">
      <div>
        <Group gap="xs">
          <Text fw={600}>{limitName(refused)}</Text>
          <Badge size="sm" radius="sm" variant="light" color={color} tt="none">
            {label}
          </Badge>
        </Group>
        <Text size="sm">
          {owner.kind === "group" ? "Group" : "Key"}{" "}
          {owner.kind === "group" ? (
            owner.name
          ) : (
            <TextLink to="/keys" search={{ search: owner.id }}>
              {owner.name}
            </TextLink>
          )}
        </Text>
      </div>
      <Group gap="sm" wrap="nowrap">
        {points.length > 1 && (
          <Sparkline
            w={120}
            h={32}
            data={points.map((point) => point.refused)}
            curveType="monotone"
            color="orange"
            fillOpacity={0.3}
            strokeWidth={1.5}
            visibleFrom="sm"
            aria-hidden
          />
        )}
        <div>
          <Text ta="right" fw={600}>
            {count(refused.refused)}×
          </Text>
          <Text size="xs" c="dimmed" className="nowrap">
            last <Moment value={refused.lastTime} />
          </Text>
        </div>
      </Group>
    </Group>
  );
}

function Whom({ refused: { keys, keyCount } }: { refused: RefusedBy }) {
  const more = keyCount - keys.length;
  return (
    <Text size="sm">
      Refused:{" "}
      {keys.map(({ apiKeyId, apiKeyName, refused }, place) => (
        <span key={apiKeyId}>
          {place > 0 && ", "}
          <TextLink to="/requests" search={{ apiKeyId: [apiKeyId], status: ["quota"] }}>
            {apiKeyName ?? apiKeyId}
          </TextLink>{" "}
          {count(refused)}×
        </span>
      ))}
      {more > 0 && ` and ${count(more)} more keys`}
    </Text>
  );
}

function Sample({ metric, sample }: { metric: string; sample: RefusalSample }) {
  return (
    <>
      <Moment value={sample.time} /> <span className="mono">{sample.model}</span>{" "}
      {refusalInWords(metric, sample)}{" "}
      <Text span size="sm" c="dimmed">
        {fitInWords(sample.fit)}
        {sample.fitTime && (
          <>
            , <Moment value={sample.fitTime} />.
          </>
        )}
      </Text>
    </>
  );
}
