import { AreaChart, BarChart, LineChart } from "@mantine/charts";
import { Paper, SimpleGrid, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";
import type { Overview } from "@/api/schema.gen";
import { type Point, pointsOf } from "@/features/overview/series";
import { amount, count, localClock, localDay, MICRO_USD, seconds, shortCount, utc } from "@/lib/format";

const HEIGHT = 170;
const DAY_SECONDS = 86_400;
const dollars = (value: number) => amount("cost_microusd", value * MICRO_USD);

/** The course of the range, in panels that share it. */
export function Charts({ overview }: { overview: Overview }) {
  const points = pointsOf(overview);
  const per = `per ${seconds(overview.spanSeconds)}`;
  const common = commonProps(points, overview.spanSeconds);
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="sm">
      <Panel title="Requests" unit={per}>
        <BarChart
          {...common}
          type="stacked"
          valueFormatter={count}
          series={[
            { name: "ok", label: "OK", color: "teal.6" },
            { name: "refused", label: "Refused", color: "orange.6" },
            { name: "failed", label: "Failed", color: "red.6" },
            { name: "cancelled", label: "Cancelled", color: "gray.5" },
          ]}
        />
      </Panel>
      <Panel title="Tokens" unit={per}>
        <AreaChart
          {...common}
          type="stacked"
          withDots={false}
          curveType="linear"
          valueFormatter={shortCount}
          series={[
            { name: "input", label: "Input", color: "indigo.6" },
            { name: "output", label: "Output", color: "cyan.6" },
          ]}
        />
      </Panel>
      <Panel title="Cost" unit={`US dollars ${per}`}>
        <BarChart
          {...common}
          valueFormatter={dollars}
          series={[{ name: "dollars", label: "Cost", color: "indigo.6" }]}
        />
      </Panel>
      <Panel title="Refused and failed" unit={`percent of the requests ${per}`}>
        <LineChart
          {...common}
          curveType="linear"
          connectNulls={false}
          dotProps={{ r: 2 }}
          unit=" %"
          series={[
            { name: "refusedPercent", label: "Refused", color: "orange.6" },
            { name: "failedPercent", label: "Failed", color: "red.6" },
          ]}
        />
      </Panel>
    </SimpleGrid>
  );
}

function commonProps(points: Point[], spanSeconds: number) {
  return {
    h: HEIGHT,
    data: points,
    dataKey: "time",
    withLegend: true,
    legendProps: { verticalAlign: "top" as const, height: 28 },
    gridAxis: "x" as const,
    tickLine: "none" as const,
    xAxisProps: { tickFormatter: (time: number) => tickWords(time, spanSeconds), minTickGap: 40 },
    tooltipAnimationDuration: 0,
    tooltipProps: { labelFormatter: momentWords },
  };
}

function tickWords(time: number, spanSeconds: number): string {
  const moment = new Date(time);
  return spanSeconds >= DAY_SECONDS ? localDay(moment) : localClock(moment).slice(0, 5);
}

/** Between two visits of the pointer there is no time to tell. */
function momentWords(time: ReactNode): string {
  if (typeof time !== "number") {
    return "";
  }
  const moment = new Date(time);
  return `${localDay(moment)} ${localClock(moment).slice(0, 5)} (${utc(moment)})`;
}

function Panel({ title, unit, children }: { title: string; unit: string; children: ReactNode }) {
  return (
    <Paper withBorder p="sm" component="section" aria-label={title}>
      <Title order={2} fz="sm">
        {title}{" "}
        <Text span size="xs" c="dimmed" fw={400}>
          {unit}
        </Text>
      </Title>
      {children}
    </Paper>
  );
}
