import { amount, COST, count, seconds } from "@/lib/format";

/** What a limit says, whether it stands or is still being written. */
export type Rule = {
  metric: string;
  window: string;
  maxValue: number;
  modelPattern: string;
  timeZone?: string;
  enforcement?: "enforce" | "shadow";
};

const METRICS: Record<string, { label: string; words: string; nothing?: string }> = {
  requests: { label: "Requests", words: "requests" },
  total_tokens: { label: "Total tokens", words: "tokens, input and output together" },
  input_tokens: { label: "Input tokens", words: "input tokens" },
  output_tokens: { label: "Output tokens", words: "output tokens" },
  cost_microusd: { label: "Cost in USD", words: "worth of tokens", nothing: "what tokens cost" },
  concurrency: { label: "Open requests", words: "requests at the same time" },
};
/** What a new limit can count: the metrics that the proxy names for every request. */
export const METRIC_NAMES = [
  "total_tokens",
  "input_tokens",
  "output_tokens",
  "requests",
  "cost_microusd",
  "concurrency",
];

const WINDOWS: Record<string, string> = {
  minute: "per minute",
  hour: "per hour",
  day: "per day",
  week: "per week",
  month: "per month",
  lifetime: "in all",
};
export const WINDOW_NAMES = Object.keys(WINDOWS);

export function metricLabel(metric: string): string {
  return METRICS[metric]?.label ?? metric;
}

/** `per day`, `per 5 h`. */
export function windowLabel(window: string): string {
  const length = fixedSeconds(window);
  return length === null ? (WINDOWS[window] ?? window) : `per ${seconds(length)}`;
}

/** The length of a fixed window such as `18000s`, null for any other. */
export function fixedSeconds(window: string): number | null {
  return /^\d+s$/.test(window) ? Number.parseInt(window, 10) : null;
}

/** `Total tokens per day · gpt-5*` */
export function limitName({
  metric,
  window,
  modelPattern,
}: Pick<Rule, "metric" | "window" | "modelPattern">): string {
  const when = metric === "concurrency" ? "at a time" : windowLabel(window);
  return [`${metricLabel(metric)} ${when}`, modelPattern].filter(Boolean).join(" · ");
}

/** The whole rule as a sentence, so that whoever writes it sees what it will do. */
export function ruleInWords(rule: Rule): string {
  const most = rule.maxValue === 0 ? "Nothing" : `At most ${exactly(rule)}`;
  const { words: what, nothing = what } = METRICS[rule.metric] ?? { words: rule.metric };
  const sentence = `${most} ${rule.maxValue === 0 ? `of ${nothing}` : what}${period(rule)}${models(rule.modelPattern)}.`;
  return rule.enforcement === "shadow"
    ? `${sentence} Only watched: it counts, but refuses nothing.`
    : sentence;
}

/** Cost also as the ledger and its commands count it. */
function exactly({ metric, maxValue }: Rule): string {
  const most = amount(metric, maxValue);
  return metric === COST ? `${most} (${count(maxValue)} micro-USD)` : most;
}

function period({ metric, window, timeZone = "UTC" }: Rule): string {
  if (metric === "concurrency") {
    return "";
  }
  if (window === "lifetime") {
    return ", ever; it never resets";
  }
  const length = fixedSeconds(window);
  if (length !== null) {
    return ` in each ${seconds(length)}, counted from when the limit was made`;
  }
  return ` per ${window}${RESETS[window]?.(timeZone) ?? ""}`;
}

const RESETS: Record<string, (zone: string) => string> = {
  day: (zone) => `, reset at 00:00 ${zone}`,
  week: (zone) => `, reset on Mondays at 00:00 ${zone}`,
  month: (zone) => `, reset on the 1st at 00:00 ${zone}`,
};

function models(pattern: string): string {
  if (!pattern) {
    return "; all models together";
  }
  return pattern.endsWith("*")
    ? `; models whose name begins with “${pattern.slice(0, -1)}” together`
    : `; model ${pattern} only`;
}
