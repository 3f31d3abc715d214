import { amount, count } from "@/lib/format";

/** How amounts of the usual metrics read in a line, in the order in which people ask for them. */
const USUAL: Record<string, (value: number) => string> = {
  total_tokens: (value) => `${count(value)} tokens`,
  cost_microusd: (value) => amount("cost_microusd", value),
  input_tokens: (value) => `${count(value)} in`,
  output_tokens: (value) => `${count(value)} out`,
};
/** Every request holds one of each: saying so tells nothing. */
const ALWAYS_ONE = new Set(["requests", "concurrency"]);

/** `1,200 tokens · $0.02 · 1,000 in · 200 out`: the amounts that differ from request to request. */
export function amountsInWords(amounts: Record<string, number>): string {
  const others = Object.keys(amounts).filter((metric) => !(metric in USUAL) && !ALWAYS_ONE.has(metric));
  const told = [...Object.keys(USUAL), ...others.sort()].flatMap((metric) => {
    const value = amounts[metric];
    return value === undefined ? [] : [USUAL[metric]?.(value) ?? `${count(value)} ${metric}`];
  });
  return told.join(" · ");
}
