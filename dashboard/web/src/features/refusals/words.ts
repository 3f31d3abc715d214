import type { RefusalSample, RefusedBy } from "@/api/schema.gen";
import { limitName } from "@/features/keys/rule";
import { amount } from "@/lib/format";

/** Why one request was refused, as a person would say it. */
export function refusalInWords(metric: string, sample: RefusalSample): string {
  const { requested, used, held, maxValue, neverFits, blockedBy } = sample;
  const asked = `Asked for ${amount(metric, requested)}`;
  if (neverFits) {
    return `${asked}, more than the whole limit of ${amount(metric, maxValue)}.`;
  }
  const free = amount(metric, Math.max(0, maxValue - used - held));
  const parts = [`${amount(metric, used)} used`, held > 0 && `${amount(metric, held)} held by open requests`];
  const taken = parts.filter(Boolean).join(", ");
  const why = blockedBy === "held" ? "; it would have fitted without the open ones" : "";
  return `${asked}, ${free} free of ${amount(metric, maxValue)}: ${taken}${why}.`;
}

const FITS: Record<RefusalSample["fit"], string> = {
  now: "The same request would be admitted now.",
  when_released: "It fits as soon as open requests give back what they hold.",
  at_reset: "It fits when the window resets",
  never: "It will not fit unless the limit is raised.",
  removed: "The limit has been removed.",
};

/** When the same request fits; a reset's time is shown beside it. */
export function fitInWords(fit: RefusalSample["fit"]): string {
  return FITS[fit];
}

/** The state of a limit that refused, in a word: is anybody refused by it now? */
export function standing({ status, enforcement }: RefusedBy): { label: string; color: string } {
  if (status === null) {
    return { label: "Removed", color: "gray" };
  }
  if (enforcement === "shadow") {
    return { label: "Only watched", color: "gray" };
  }
  return status.available > 0
    ? { label: "Has room again", color: "teal" }
    : { label: "Full now", color: "red" };
}

export function refusedByName(refused: RefusedBy): string {
  return `${refused.owner.name}: ${limitName(refused)}`;
}
