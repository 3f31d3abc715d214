import type { Usage } from "@/api/schema.gen";

export type Bar = { time: Date; amount: number };

/** Every step of the time, also those without a charge, which the service leaves out. */
export function barsOf(usage: Usage, metric: string): Bar[] {
  const step = usage.stepSeconds * 1000;
  const amounts = new Map(
    usage.amounts.filter((one) => one.metric === metric).map((one) => [Date.parse(one.time), one.amount]),
  );
  const first = Math.floor(Date.parse(usage.since) / step) * step;
  const end = Date.parse(usage.until);
  const bars: Bar[] = [];
  for (let time = first; time < end; time += step) {
    bars.push({ time: new Date(time), amount: amounts.get(time) ?? 0 });
  }
  return bars;
}

/** What was counted, tokens first. */
export function metricsOf(usage: Usage): string[] {
  const found = [...new Set(usage.models.map(({ metric }) => metric))];
  return found.toSorted((one, other) => rank(one) - rank(other) || one.localeCompare(other));
}

/** The models by what they were charged, the most first. */
export function modelsOf(usage: Usage, metric: string): { model: string; amount: number }[] {
  return usage.models
    .filter((one) => one.metric === metric)
    .toSorted((one, other) => other.amount - one.amount)
    .map(({ model, amount }) => ({ model, amount }));
}

const FIRST = ["total_tokens", "cost_microusd", "requests"];

function rank(metric: string): number {
  const at = FIRST.indexOf(metric);
  return at < 0 ? FIRST.length : at;
}
