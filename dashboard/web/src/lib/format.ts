const whole = new Intl.NumberFormat("en-US");
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
const dollars = new Intl.NumberFormat("en-US", {
  style: "currency",
  currency: "USD",
  minimumFractionDigits: 2,
  maximumFractionDigits: 6,
});
const day = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short" });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const MICRO_USD = 1_000_000;

export function count(value: number): string {
  return whole.format(value);
}

export function shortCount(value: number): string {
  return compact.format(value);
}

export const COST = "cost_microusd";

/** An amount of a metric in the unit that people read: dollars for cost, plain numbers otherwise. */
export function amount(metric: string, value: number): string {
  return metric === COST ? dollars.format(value / MICRO_USD) : count(value);
}

/** `812 ms`, `4.2 s`, `1 min 20 s`. */
export function milliseconds(value: number): string {
  if (value < 1000) {
    return `${Math.round(value)} ms`;
  }
  return value < 60_000 ? `${(value / 1000).toFixed(1)} s` : seconds(value / 1000);
}

/** The two largest units of a length of time: `2 d 3 h`, `5 min 20 s`, `9 s`. */
export function seconds(value: number): string {
  let left = Math.max(0, Math.round(value));
  const parts: string[] = [];
  for (const [name, size] of UNITS) {
    const many = Math.floor(left / size);
    left -= many * size;
    if (many > 0) {
      parts.push(`${many} ${name}`);
    }
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}

const UNITS: ReadonlyArray<readonly [string, number]> = [
  ["d", 86_400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
];

export function localDay(time: Date): string {
  return day.format(time);
}

export function localClock(time: Date): string {
  return clock.format(time);
}

/** `2026-03-01 09:30:00 UTC` */
export function utc(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
